-- What a synchronization reads of a platform, what it made of it here, and how it is told of changes.

-- Nothing wrote this table before this release.
DROP TABLE sync;
CREATE TABLE sync (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id            INTEGER NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    integration       TEXT NOT NULL REFERENCES integration (id),
    -- What people call the organization there; it follows when it is renamed.
    remote            TEXT NOT NULL,
    -- The platform's id of it; none before the first run.
    remote_id         TEXT,
    credential_id     INTEGER,
    is_primary        INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    packages          TEXT NOT NULL DEFAULT 'all' CHECK (packages IN ('all', 'new')),
    -- Whether members may read what the platform shows to everybody, or to every member.
    follow_visibility INTEGER NOT NULL DEFAULT 0 CHECK (follow_visibility IN (0, 1)),
    created_at        INTEGER NOT NULL,
    paused_at         INTEGER,
    -- The last run: when it began, and what came of it.
    last_run_at       INTEGER,
    outcome           TEXT CHECK (outcome IN ('ok', 'held', 'failed')),
    error             TEXT,
    -- When everything was last read to its end.
    confirmed_at      INTEGER,
    -- Since when what it found does not count, because that is too long ago.
    stale_at          INTEGER,
    next_run_at       INTEGER NOT NULL DEFAULT 0,
    -- The plan that waits for an administrator's yes, as it was shown: its digest, and its changes as JSON.
    held_digest       TEXT,
    held_plan         TEXT,
    held_at           INTEGER,
    UNIQUE (org_id, id),
    UNIQUE (org_id, integration, remote),
    FOREIGN KEY (org_id, credential_id) REFERENCES credential (org_id, id)
) STRICT;
CREATE INDEX sync_credential ON sync (org_id, credential_id);
CREATE UNIQUE INDEX sync_one_primary ON sync (org_id) WHERE is_primary = 1;

-- By what somebody reads all packages of the synchronization without a team or grant, if so.
ALTER TABLE found_member ADD COLUMN reads TEXT CHECK (reads IN ('base', 'sync'));
ALTER TABLE found_member ADD COLUMN detail TEXT NOT NULL DEFAULT '';
-- What the account is on the platform; only the primary synchronization makes it that here.
ALTER TABLE found_member ADD COLUMN there TEXT NOT NULL DEFAULT 'member' CHECK (there IN ('owner', 'admin', 'member'));

-- Its repository is gone: no longer listed, but its archives stay for lock files.
ALTER TABLE package ADD COLUMN retired_at INTEGER;
-- The platform says that nobody works on it any more.
ALTER TABLE package ADD COLUMN archived INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1));

-- Every repository that a synchronization sees, package or not.
CREATE TABLE repository (
    org_id         INTEGER NOT NULL,
    sync_id        INTEGER NOT NULL,
    remote_id      TEXT NOT NULL,
    path           TEXT NOT NULL,
    url            TEXT NOT NULL,
    web_url        TEXT,
    default_branch TEXT,
    pushed_at      TEXT,
    state          TEXT NOT NULL CHECK (state IN ('active', 'archived', 'disabled', 'empty')),
    visibility     TEXT NOT NULL CHECK (visibility IN ('private', 'internal', 'public')),
    fork           INTEGER NOT NULL DEFAULT 0 CHECK (fork IN (0, 1)),
    -- Whether the default branch has a composer.json; none: not known.
    manifest       INTEGER CHECK (manifest IN (0, 1)),
    package_id     INTEGER REFERENCES package (id) ON DELETE SET NULL,
    -- package: it is one. wanted: it will be. none: there is no composer.json. held: it waits for a yes. left: it was there
    -- before, and only new ones were wanted. removed: somebody removed it by hand.
    decision       TEXT NOT NULL CHECK (decision IN ('package', 'wanted', 'none', 'held', 'left', 'removed')),
    reason         TEXT NOT NULL DEFAULT '',
    -- Whether somebody saw it in a plan or asked for it: then it may bring a vendor that is new here.
    asked          INTEGER NOT NULL DEFAULT 0 CHECK (asked IN (0, 1)),
    found_at       INTEGER NOT NULL,
    gone_at        INTEGER,
    PRIMARY KEY (org_id, sync_id, remote_id),
    FOREIGN KEY (org_id, sync_id) REFERENCES sync (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_package ON repository (package_id);

-- Answers of the platform, to be asked for again only where they changed.
CREATE TABLE sync_page (
    org_id     INTEGER NOT NULL,
    sync_id    INTEGER NOT NULL,
    url        TEXT NOT NULL,
    etag       TEXT,
    next       TEXT,
    body       BLOB NOT NULL,
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, sync_id, url),
    FOREIGN KEY (org_id, sync_id) REFERENCES sync (org_id, id) ON DELETE CASCADE
) STRICT;

-- What events say that the next run has to look at: JSON, never believed.
CREATE TABLE sync_hint (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id     INTEGER NOT NULL,
    sync_id    INTEGER NOT NULL,
    touch      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    FOREIGN KEY (org_id, sync_id) REFERENCES sync (org_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX sync_hint_sync ON sync_hint (org_id, sync_id, id);

CREATE TABLE sync_run (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id     INTEGER NOT NULL,
    sync_id    INTEGER NOT NULL,
    job_id     INTEGER,
    cause      TEXT NOT NULL CHECK (cause IN ('hook', 'asked', 'schedule', 'credential')),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    outcome    TEXT NOT NULL CHECK (outcome IN ('changed', 'unchanged', 'held', 'failed')),
    error      TEXT,
    notices    TEXT NOT NULL DEFAULT '[]',
    -- Requests that were sent, and those of them that were answered with "not modified".
    requests   INTEGER NOT NULL DEFAULT 0,
    unmodified INTEGER NOT NULL DEFAULT 0,
    remaining  INTEGER,
    resets_at  INTEGER,
    added      INTEGER NOT NULL DEFAULT 0,
    changed    INTEGER NOT NULL DEFAULT 0,
    removed    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (org_id, id),
    FOREIGN KEY (org_id, sync_id) REFERENCES sync (org_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX sync_run_sync ON sync_run (org_id, sync_id, id);

CREATE TABLE sync_change (
    org_id INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('add', 'change', 'remove')),
    kind   TEXT NOT NULL CHECK (kind IN ('package', 'team', 'member', 'permission', 'hook', 'vendor')),
    name   TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (org_id, run_id, number),
    FOREIGN KEY (org_id, run_id) REFERENCES sync_run (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Webhooks that we installed on platforms: of the whole organization there (no repository), or of one repository.
CREATE TABLE platform_hook (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id           INTEGER NOT NULL,
    sync_id          INTEGER NOT NULL,
    repository       TEXT,
    -- SHA-256 of the random part of its address; that part, and the secret that signs, are sealed.
    digest           BLOB NOT NULL UNIQUE,
    address          BLOB NOT NULL,
    secret           BLOB NOT NULL,
    remote_id        TEXT,
    state            TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'ok', 'failing', 'missing', 'refused')),
    error            TEXT,
    unsigned_since   INTEGER,
    created_at       INTEGER NOT NULL,
    checked_at       INTEGER,
    last_delivery_at INTEGER,
    removed_at       INTEGER
) STRICT;
CREATE INDEX platform_hook_sync ON platform_hook (org_id, sync_id);

-- What platforms delivered, so that the same delivery causes its work once.
CREATE TABLE platform_delivery (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    integration TEXT NOT NULL,
    org_id      INTEGER REFERENCES organization (id) ON DELETE CASCADE,
    sync_id     INTEGER,
    hook_id     INTEGER REFERENCES platform_hook (id) ON DELETE CASCADE,
    guid        TEXT NOT NULL,
    event       TEXT NOT NULL,
    -- What it was about, for the page: a repository, a team, a person.
    subject     TEXT NOT NULL DEFAULT '',
    size        INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    job_id      INTEGER,
    UNIQUE (integration, guid)
) STRICT;
CREATE INDEX platform_delivery_sync ON platform_delivery (org_id, sync_id, id);
CREATE INDEX platform_delivery_hook ON platform_delivery (hook_id);

-- Installations of GitHub Apps: each belongs to one organization.
CREATE TABLE installation (
    integration     TEXT NOT NULL REFERENCES integration (id),
    installation_id INTEGER NOT NULL,
    org_id          INTEGER NOT NULL,
    credential_id   INTEGER NOT NULL,
    suspended_at    INTEGER,
    bound_at        INTEGER NOT NULL,
    PRIMARY KEY (integration, installation_id),
    FOREIGN KEY (org_id, credential_id) REFERENCES credential (org_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX installation_credential ON installation (org_id, credential_id);
