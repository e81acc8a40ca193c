-- Times are microseconds since the epoch in UTC, dates of documents whole seconds. Every row of an
-- organization carries org_id and refers by (org_id, id), so that no row can point into another's.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT;

-- removed_at: it is hidden and has another slug; its packages are being removed, some at a time.
CREATE TABLE organization (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    slug       TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    removed_at INTEGER
) STRICT;

-- A renamed organization keeps its former addresses: lock files name them.
CREATE TABLE former_slug (
    slug   TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
    org_id INTEGER NOT NULL REFERENCES organization (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX former_slug_org ON former_slug (org_id);

CREATE TABLE vendor (
    org_id     INTEGER NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL UNIQUE COLLATE NOCASE,
    email         TEXT,
    admin         INTEGER NOT NULL DEFAULT 0 CHECK (admin IN (0, 1)),
    enabled       INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    password      TEXT,
    created_at    INTEGER NOT NULL,
    last_login_at INTEGER
) STRICT;

CREATE TABLE credential (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id     INTEGER NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    name       TEXT NOT NULL COLLATE NOCASE,
    type       TEXT NOT NULL,
    host       TEXT,
    port       INTEGER,
    username   TEXT,
    secret     BLOB NOT NULL,
    status     TEXT NOT NULL DEFAULT 'untested',
    expires_at INTEGER,
    created_at INTEGER NOT NULL,
    rotated_at INTEGER,
    UNIQUE (org_id, name),
    UNIQUE (org_id, id)
) STRICT;

-- outcome: of the last update that ended; null before the first one.
CREATE TABLE package (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id            INTEGER NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    name              TEXT,
    url               TEXT NOT NULL,
    url_key           TEXT NOT NULL,
    vcs               TEXT NOT NULL,
    credential_id     INTEGER,
    fork              INTEGER NOT NULL DEFAULT 0 CHECK (fork IN (0, 1)),
    outcome           TEXT CHECK (outcome IN ('ok', 'failed', 'held')),
    error             TEXT,
    type              TEXT,
    description       TEXT,
    abandoned         TEXT,
    versions          INTEGER NOT NULL DEFAULT 0,
    default_branch    TEXT,
    refs_digest       TEXT,
    refs              INTEGER NOT NULL DEFAULT 0,
    created_at        INTEGER NOT NULL,
    update_started_at INTEGER,
    checked_at        INTEGER,
    updated_at        INTEGER,
    next_check_at     INTEGER NOT NULL,
    UNIQUE (org_id, id),
    UNIQUE (org_id, name),
    UNIQUE (org_id, url_key),
    FOREIGN KEY (org_id, credential_id) REFERENCES credential (org_id, id)
) STRICT;
CREATE INDEX package_credential ON package (org_id, credential_id);
CREATE INDEX package_next_check ON package (next_check_at);

-- A name under which a package is or was published. A package renamed in its composer.json leaves
-- its former listing behind, abandoned in favour of the new name.
CREATE TABLE listing (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id     INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    current    INTEGER NOT NULL CHECK (current IN (0, 1)),
    UNIQUE (org_id, name),
    UNIQUE (org_id, id),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX listing_package ON listing (org_id, package_id);

-- metadata: the version's object as Composer's ArrayDumper gives it, without dist.
CREATE TABLE version (
    org_id             INTEGER NOT NULL,
    listing_id         INTEGER NOT NULL,
    version_normalized TEXT NOT NULL,
    version            TEXT NOT NULL,
    reference          TEXT NOT NULL,
    ref                TEXT NOT NULL,
    released_at        INTEGER,
    dev                INTEGER NOT NULL CHECK (dev IN (0, 1)),
    default_branch     INTEGER NOT NULL CHECK (default_branch IN (0, 1)),
    metadata           TEXT NOT NULL,
    PRIMARY KEY (org_id, listing_id, version_normalized),
    FOREIGN KEY (org_id, listing_id) REFERENCES listing (org_id, id) ON DELETE CASCADE
) STRICT;

-- The remote's refs as last listed; reason: why a ref is no version.
CREATE TABLE ref (
    org_id     INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    name       TEXT NOT NULL,
    target     TEXT NOT NULL,
    reason     TEXT,
    PRIMARY KEY (org_id, package_id, name),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- body: gzip, last, so that reading the others does not walk through it. render_key: what else the
-- bytes depend on; another key asks for a new rendering.
CREATE TABLE document (
    org_id        INTEGER NOT NULL,
    listing_id    INTEGER NOT NULL,
    dev           INTEGER NOT NULL CHECK (dev IN (0, 1)),
    last_modified INTEGER NOT NULL,
    render_key    TEXT NOT NULL,
    body          BLOB NOT NULL,
    PRIMARY KEY (org_id, listing_id, dev),
    FOREIGN KEY (org_id, listing_id) REFERENCES listing (org_id, id) ON DELETE CASCADE
) STRICT;

-- Outlives the document, so that a name removed and added again never repeats a date.
CREATE TABLE document_date (
    org_id        INTEGER NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    dev           INTEGER NOT NULL CHECK (dev IN (0, 1)),
    last_modified INTEGER NOT NULL,
    PRIMARY KEY (org_id, name, dev)
) STRICT, WITHOUT ROWID;

-- The date of each content of packages.json: no two contents of an organization share one.
CREATE TABLE root_date (
    org_id        INTEGER NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    digest        BLOB NOT NULL,
    last_modified INTEGER NOT NULL,
    PRIMARY KEY (org_id, digest),
    UNIQUE (org_id, last_modified)
) STRICT;

-- What metadata/changes.json tells; file is a name, or name~dev. at: rises with every commit, whatever the clock does;
-- time: what the clock said, which the file's own date never falls behind.
CREATE TABLE change (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id     INTEGER NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    package_id INTEGER NOT NULL,
    file       TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('update', 'delete')),
    at         INTEGER NOT NULL,
    time       INTEGER NOT NULL
) STRICT;
CREATE INDEX change_at ON change (org_id, at);
CREATE UNIQUE INDEX change_file ON change (org_id, file);

-- One row for each commit that may be asked for. published: it was a version's, so its archive is
-- kept; others are cache. key: the reference as addresses name it. digest: of the stored archive.
CREATE TABLE dist (
    org_id       INTEGER NOT NULL,
    package_id   INTEGER NOT NULL,
    key          TEXT NOT NULL,
    reference    TEXT NOT NULL,
    published    INTEGER NOT NULL CHECK (published IN (0, 1)),
    digest       BLOB,
    size         INTEGER,
    built_at     INTEGER,
    forgotten_at INTEGER,
    PRIMARY KEY (org_id, package_id, key),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX dist_digest ON dist (digest) WHERE digest IS NOT NULL;

-- org_id: an organization token's; user_id: a user token's. restricted: only token_package's rows.
CREATE TABLE token (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id       INTEGER REFERENCES organization (id) ON DELETE CASCADE,
    user_id      INTEGER REFERENCES user (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL CHECK (kind IN ('organization', 'user')),
    access       TEXT NOT NULL CHECK (access IN ('read', 'update')),
    restricted   INTEGER NOT NULL DEFAULT 0 CHECK (restricted IN (0, 1)),
    digest       BLOB NOT NULL UNIQUE,
    prefix       TEXT NOT NULL,
    last4        TEXT NOT NULL,
    description  TEXT,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER,
    UNIQUE (org_id, id),
    CHECK ((org_id IS NULL) <> (user_id IS NULL))
) STRICT;
CREATE INDEX token_user ON token (user_id);

CREATE TABLE token_package (
    org_id     INTEGER NOT NULL,
    token_id   INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    PRIMARY KEY (org_id, token_id, package_id),
    FOREIGN KEY (org_id, token_id) REFERENCES token (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX token_package_package ON token_package (org_id, package_id);

-- Outlives its package for a while, because platforms go on calling. retired_at: replaced by a new one.
CREATE TABLE hook (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id     INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    digest     BLOB NOT NULL UNIQUE,
    secret     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER,
    removed_at INTEGER
) STRICT;
CREATE INDEX hook_package ON hook (org_id, package_id);

CREATE TABLE delivery (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id      INTEGER NOT NULL,
    hook_id     INTEGER NOT NULL REFERENCES hook (id) ON DELETE CASCADE,
    received_at INTEGER NOT NULL,
    provider    TEXT NOT NULL,
    event       TEXT,
    size        INTEGER NOT NULL
) STRICT;
CREATE INDEX delivery_hook ON delivery (hook_id, received_at);

CREATE TABLE install (
    org_id             INTEGER NOT NULL,
    package_id         INTEGER NOT NULL,
    version_normalized TEXT NOT NULL,
    day                INTEGER NOT NULL,
    installs           INTEGER NOT NULL,
    PRIMARY KEY (org_id, package_id, version_normalized, day),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- org_id and package_id are null for the instance's own work. not_before: the other side said so.
CREATE TABLE job (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id      INTEGER REFERENCES organization (id) ON DELETE CASCADE,
    package_id  INTEGER REFERENCES package (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL,
    payload     TEXT NOT NULL,
    dedupe_key  TEXT NOT NULL,
    lane        TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('ready', 'running', 'done', 'failed', 'cancelled')),
    run_at      INTEGER NOT NULL,
    not_before  INTEGER NOT NULL DEFAULT 0,
    attempt     INTEGER NOT NULL DEFAULT 0,
    error       TEXT,
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER
) STRICT;
CREATE UNIQUE INDEX job_ready ON job (dedupe_key) WHERE state = 'ready';
CREATE UNIQUE INDEX job_running ON job (dedupe_key) WHERE state = 'running';
CREATE INDEX job_running_org ON job (lane, org_id) WHERE state = 'running';
CREATE INDEX job_due ON job (lane, run_at) WHERE state = 'ready';
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX job_package ON job (package_id);
CREATE INDEX job_org ON job (org_id);

-- Chained by hash: a row's hash covers its content and the hash before it.
CREATE TABLE audit (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    org_id   INTEGER,
    actor    TEXT NOT NULL,
    action   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    detail   TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash     BLOB NOT NULL
) STRICT;
CREATE INDEX audit_org ON audit (org_id, at);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
