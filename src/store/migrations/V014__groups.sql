-- Groups of GitLab: what follows from where they stand, and what can be done with their projects.

-- Whether the people of a team read what the teams above it have. Those of a subgroup of GitLab do not.
ALTER TABLE team ADD COLUMN inherits INTEGER NOT NULL DEFAULT 1 CHECK (inherits IN (0, 1));

-- Whether planners may read code: releases of GitLab differ.
ALTER TABLE sync ADD COLUMN planners INTEGER NOT NULL DEFAULT 0 CHECK (planners IN (0, 1));

-- More states. deleting: it is about to be deleted. off: its repository is switched off. importing, broken: its import is under
-- way, or failed.
CREATE TABLE repository_of_more_states (
    org_id         INTEGER NOT NULL,
    sync_id        INTEGER NOT NULL,
    remote_id      TEXT NOT NULL,
    path           TEXT NOT NULL,
    url            TEXT NOT NULL,
    web_url        TEXT,
    default_branch TEXT,
    pushed_at      TEXT,
    state          TEXT NOT NULL CHECK (
        state IN ('active', 'archived', 'disabled', 'empty', 'deleting', 'off', 'importing', 'broken')
    ),
    visibility     TEXT NOT NULL CHECK (visibility IN ('private', 'internal', 'public')),
    fork           INTEGER NOT NULL DEFAULT 0 CHECK (fork IN (0, 1)),
    manifest       INTEGER CHECK (manifest IN (0, 1)),
    package_id     INTEGER REFERENCES package (id) ON DELETE SET NULL,
    decision       TEXT NOT NULL CHECK (decision IN ('package', 'wanted', 'none', 'held', 'left', 'removed')),
    reason         TEXT NOT NULL DEFAULT '',
    asked          INTEGER NOT NULL DEFAULT 0 CHECK (asked IN (0, 1)),
    found_at       INTEGER NOT NULL,
    gone_at        INTEGER,
    PRIMARY KEY (org_id, sync_id, remote_id),
    FOREIGN KEY (org_id, sync_id) REFERENCES sync (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO repository_of_more_states
    (org_id, sync_id, remote_id, path, url, web_url, default_branch, pushed_at, state, visibility, fork, manifest, package_id,
     decision, reason, asked, found_at, gone_at)
SELECT org_id, sync_id, remote_id, path, url, web_url, default_branch, pushed_at, state, visibility, fork, manifest, package_id,
     decision, reason, asked, found_at, gone_at
FROM repository;
DROP TABLE repository;
ALTER TABLE repository_of_more_states RENAME TO repository;
CREATE INDEX repository_package ON repository (package_id);
