-- What pages tell of packages.

-- failing_since: when the update first failed, or was held, without one that went well since. latest: the newest
-- release as people write it, or the default branch where there is none; latest_at: its date. hook_called_at: of the
-- newest delivery. recent_installs: of 30 days, counted anew every day.
ALTER TABLE package ADD COLUMN failing_since INTEGER;
ALTER TABLE package ADD COLUMN latest TEXT;
ALTER TABLE package ADD COLUMN latest_at INTEGER;
ALTER TABLE package ADD COLUMN hook_called_at INTEGER;
ALTER TABLE package ADD COLUMN recent_installs INTEGER NOT NULL DEFAULT 0;
UPDATE package SET failing_since = coalesce(checked_at, created_at) WHERE outcome IN ('failed', 'held');
UPDATE package SET hook_called_at = (SELECT max(d.received_at) FROM hook h JOIN delivery d ON d.hook_id = h.id
    WHERE h.org_id = package.org_id AND h.package_id = package.id);
-- The next look at each repository reads it again, and finds the README and the rest.
UPDATE package SET refs_digest = NULL;

-- announced_at: when somebody told us of the push that brought this commit; null where nobody did. served_at: since when
-- the version is served with this commit.
ALTER TABLE version ADD COLUMN announced_at INTEGER;
ALTER TABLE version ADD COLUMN served_at INTEGER;
CREATE INDEX version_released ON version (org_id, released_at) WHERE dev = 0;

-- What a delivery caused.
ALTER TABLE delivery ADD COLUMN job_id INTEGER;

-- The README of the default branch. blob: what identifies its content; text: null where it is too long.
CREATE TABLE readme (
    org_id     INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    blob       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    text       TEXT,
    PRIMARY KEY (org_id, package_id),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT;

-- What the latest version of a package needs, so that it can be asked who needs a package. dev: for its development only.
CREATE TABLE requirement (
    org_id     INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    target     TEXT NOT NULL,
    dev        INTEGER NOT NULL CHECK (dev IN (0, 1)),
    range      TEXT NOT NULL,
    PRIMARY KEY (org_id, package_id, target, dev),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX requirement_target ON requirement (org_id, target);

-- Each try of an update, the newest of a package. asked_at: when it was caused; changes: JSON, of what was published.
CREATE TABLE update_run (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id     INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    job_id     INTEGER NOT NULL,
    cause      TEXT NOT NULL,
    asked_at   INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    outcome    TEXT NOT NULL CHECK (outcome IN ('changed', 'unchanged', 'failed', 'held')),
    error      TEXT,
    changes    TEXT,
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX update_run_package ON update_run (org_id, package_id, id);
CREATE INDEX update_run_job ON update_run (job_id);

-- Installations of an organization by day, without walking over its packages.
CREATE INDEX install_day ON install (org_id, day, package_id, installs);
