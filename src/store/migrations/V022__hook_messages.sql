-- What was understood of a delivery to a package's webhook.

-- guid: what names it, also when it is sent again; outcome: what was answered (`queued`, `ping`, …); told: JSON, for people.
ALTER TABLE delivery ADD COLUMN guid TEXT;
ALTER TABLE delivery ADD COLUMN outcome TEXT NOT NULL DEFAULT 'queued';
ALTER TABLE delivery ADD COLUMN told TEXT;
CREATE INDEX delivery_guid ON delivery (hook_id, guid) WHERE guid IS NOT NULL;

-- The secret that calls are signed with, sealed; null where the address alone is enough. signed_at: since when calls are
-- signed rather than show the secret itself: none is taken that only shows it from then on.
ALTER TABLE hook ADD COLUMN signing BLOB;
ALTER TABLE hook ADD COLUMN signed_at INTEGER;

-- Topics of Amazon SNS that are subscribed to webhooks. message: what asked for it, until that is decided; confirm_url: the
-- address that confirms it, for whoever has to open it where we cannot.
CREATE TABLE hook_topic (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id       INTEGER NOT NULL,
    hook_id      INTEGER NOT NULL REFERENCES hook (id) ON DELETE CASCADE,
    arn          TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'confirmed', 'refused', 'ended')),
    error        TEXT,
    message      TEXT,
    confirm_url  TEXT,
    subscription TEXT,
    asked_at     INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    UNIQUE (hook_id, arn)
) STRICT;
