-- Webhooks that administrators of a platform enter there by hand, and that tell of all of it: one for an integration, for
-- whoever follows something there.
CREATE TABLE system_hook (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    integration      TEXT NOT NULL REFERENCES integration (id),
    -- SHA-256 of the random part of its address; that part, and the secret that signs, are sealed.
    digest           BLOB NOT NULL UNIQUE,
    address          BLOB NOT NULL,
    secret           BLOB NOT NULL,
    made_by          TEXT NOT NULL,
    made_at          INTEGER NOT NULL,
    signed_at        INTEGER,
    unsigned_since   INTEGER,
    last_delivery_at INTEGER,
    last_event       TEXT,
    removed_at       INTEGER
) STRICT;
CREATE UNIQUE INDEX system_hook_one ON system_hook (integration) WHERE removed_at IS NULL;

-- Whether the platform does not want to call this server at all, so that its other hooks would be refused as well.
ALTER TABLE platform_hook ADD COLUMN unwanted INTEGER NOT NULL DEFAULT 0 CHECK (unwanted IN (0, 1));
