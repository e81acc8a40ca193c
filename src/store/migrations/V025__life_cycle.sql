-- What became of packages' versions and names over time.

-- What happened to a version: it came, went, or names another commit. cause and job_id: the update that saw it, once that ended.
CREATE TABLE version_event (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id             INTEGER NOT NULL,
    package_id         INTEGER NOT NULL,
    at                 INTEGER NOT NULL,
    name               TEXT NOT NULL,
    version            TEXT NOT NULL,
    version_normalized TEXT NOT NULL,
    dev                INTEGER NOT NULL CHECK (dev IN (0, 1)),
    action             TEXT NOT NULL CHECK (action IN ('added', 'moved', 'removed')),
    before             TEXT,
    after              TEXT,
    job_id             INTEGER,
    cause              TEXT,
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX version_event_package ON version_event (org_id, package_id, dev, id);
CREATE INDEX version_event_moved ON version_event (org_id, package_id, id) WHERE action = 'moved' AND dev = 0;
CREATE INDEX version_event_open ON version_event (org_id, package_id) WHERE cause IS NULL;

-- The name that a held package waits for, because another one has it.
ALTER TABLE package ADD COLUMN held_name TEXT;
CREATE INDEX package_held_name ON package (org_id, held_name) WHERE held_name IS NOT NULL;
-- The name that a package takes at its next update from whoever has it.
ALTER TABLE package ADD COLUMN granted_name TEXT;
-- Whether it is abandoned, as JSON: as somebody said here, and as its composer.json says. What counts is in abandoned.
ALTER TABLE package ADD COLUMN abandoned_here TEXT;
ALTER TABLE package ADD COLUMN abandoned_there TEXT;
UPDATE package SET abandoned_there = abandoned WHERE archived = 0;

-- When the package got the name by itself; 0 where somebody decided it, or that was before this was noted.
ALTER TABLE listing ADD COLUMN named_at INTEGER NOT NULL DEFAULT 0;

-- Packages that lost a name to another one: lock files find their archives under it still.
CREATE TABLE former_holder (
    org_id     INTEGER NOT NULL,
    name       TEXT NOT NULL,
    package_id INTEGER NOT NULL,
    lost_at    INTEGER NOT NULL,
    PRIMARY KEY (org_id, name, package_id),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX former_holder_package ON former_holder (org_id, package_id);
