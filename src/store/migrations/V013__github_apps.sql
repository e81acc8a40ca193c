-- GitHub Apps that were made from the pages here, one for an integration. Where config.toml names an App, that one is used.
CREATE TABLE github_app (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    integration    TEXT NOT NULL UNIQUE REFERENCES integration (id),
    -- GitHub's number of it, its name in addresses, and the account that owns it there.
    app_id         INTEGER NOT NULL,
    slug           TEXT NOT NULL,
    owner          TEXT NOT NULL,
    -- Its RSA key in PEM, and what signs its deliveries, both sealed; GitHub may have made no such secret.
    private_key    BLOB NOT NULL,
    webhook_secret BLOB,
    made_by        TEXT NOT NULL,
    made_at        INTEGER NOT NULL
) STRICT;

-- Who is on the way to make one: what comes back belongs to the browser that set out, and once.
CREATE TABLE github_app_request (
    -- SHA-256 of the state that goes with the browser.
    digest      BLOB PRIMARY KEY,
    integration TEXT NOT NULL,
    session_id  INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX github_app_request_session ON github_app_request (session_id);
