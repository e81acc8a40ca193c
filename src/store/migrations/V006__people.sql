-- People: accounts and how they log in, sessions, organizations' members, teams and grants.

ALTER TABLE user ADD COLUMN display_name TEXT;
ALTER TABLE user ADD COLUMN password_set_at INTEGER;
-- totp: the sealed secret of the second factor, in force once it is confirmed. totp_step: of the last
-- code that was taken, so that none is taken twice. shortcuts: whether single keys do something on pages.
ALTER TABLE user ADD COLUMN totp BLOB;
ALTER TABLE user ADD COLUMN totp_confirmed_at INTEGER;
ALTER TABLE user ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;
ALTER TABLE user ADD COLUMN shortcuts INTEGER NOT NULL DEFAULT 1 CHECK (shortcuts IN (0, 1));

CREATE TABLE recovery_code (
    user_id INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    digest  BLOB NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (user_id, digest)
) STRICT, WITHOUT ROWID;

-- What an integration was when people first became known by it: people are known by (integration, subject),
-- so another platform or address under the same id would make strangers of them, or them of strangers.
CREATE TABLE integration (
    id          TEXT PRIMARY KEY NOT NULL,
    platform    TEXT NOT NULL,
    url         TEXT NOT NULL,
    recorded_at INTEGER NOT NULL
) STRICT;

-- An account on a platform. subject: the platform's stable id; all else follows what the platform says.
-- user_id: the person it belongs to, once that person logged in by it.
CREATE TABLE account (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    integration    TEXT NOT NULL REFERENCES integration (id),
    subject        TEXT NOT NULL,
    login          TEXT NOT NULL,
    display_name   TEXT,
    email          TEXT,
    email_verified INTEGER NOT NULL DEFAULT 0 CHECK (email_verified IN (0, 1)),
    suspended_at   INTEGER,
    user_id        INTEGER REFERENCES user (id) ON DELETE SET NULL,
    created_at     INTEGER NOT NULL,
    connected_at   INTEGER,
    last_login_at  INTEGER,
    UNIQUE (integration, subject)
) STRICT;
CREATE INDEX account_user ON account (user_id);

-- digest: of the cookie's value. account_id: what the person logged in by; null: a password.
CREATE TABLE session (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    digest           BLOB NOT NULL UNIQUE,
    user_id          INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    account_id       INTEGER REFERENCES account (id) ON DELETE CASCADE,
    created_at       INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    seen_at          INTEGER NOT NULL,
    address          TEXT,
    agent            TEXT
) STRICT;
CREATE INDEX session_user ON session (user_id);
CREATE INDEX session_account ON session (account_id);

-- activation: whether people whom a synchronization finds are members at once, or when an administrator says so.
ALTER TABLE organization ADD COLUMN activation TEXT NOT NULL DEFAULT 'automatic'
    CHECK (activation IN ('automatic', 'manual'));

-- The integrations of which each member must have logged in by one; without rows, any way will do.
CREATE TABLE login_rule (
    org_id      INTEGER NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    integration TEXT NOT NULL REFERENCES integration (id),
    PRIMARY KEY (org_id, integration)
) STRICT, WITHOUT ROWID;

-- A remote organization that this one follows.
CREATE TABLE sync (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id      INTEGER NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    integration TEXT NOT NULL REFERENCES integration (id),
    remote      TEXT NOT NULL,
    is_primary  INTEGER NOT NULL DEFAULT 0 CHECK (is_primary IN (0, 1)),
    created_at  INTEGER NOT NULL,
    UNIQUE (org_id, id)
) STRICT;

-- Members that administrators added.
CREATE TABLE member (
    org_id     INTEGER NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    user_id    INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    role       TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_user ON member (user_id);

-- Members that a synchronization found. active: 0 while an administrator has not said yes.
CREATE TABLE found_member (
    org_id     INTEGER NOT NULL,
    sync_id    INTEGER NOT NULL,
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    role       TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    active     INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (org_id, sync_id, account_id),
    FOREIGN KEY (org_id, sync_id) REFERENCES sync (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX found_member_account ON found_member (account_id);

-- path: the names from the outermost team to this one, between slashes. sync_id, remote_id: of a team that
-- a synchronization found, which nobody edits here.
CREATE TABLE team (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id       INTEGER NOT NULL REFERENCES organization (id) ON DELETE CASCADE,
    parent_id    INTEGER,
    sync_id      INTEGER,
    remote_id    TEXT,
    name         TEXT NOT NULL,
    path         TEXT NOT NULL COLLATE NOCASE,
    all_packages INTEGER NOT NULL DEFAULT 0 CHECK (all_packages IN (0, 1)),
    created_at   INTEGER NOT NULL,
    UNIQUE (org_id, id),
    UNIQUE (org_id, path),
    UNIQUE (org_id, sync_id, remote_id),
    FOREIGN KEY (org_id, parent_id) REFERENCES team (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, sync_id) REFERENCES sync (org_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX team_parent ON team (org_id, parent_id);

-- Of a local team, people; of one that a synchronization found, the platform's accounts.
CREATE TABLE team_member (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id     INTEGER NOT NULL,
    team_id    INTEGER NOT NULL,
    user_id    INTEGER REFERENCES user (id) ON DELETE CASCADE,
    account_id INTEGER REFERENCES account (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    CHECK ((user_id IS NULL) <> (account_id IS NULL)),
    UNIQUE (org_id, team_id, user_id),
    UNIQUE (org_id, team_id, account_id),
    FOREIGN KEY (org_id, team_id) REFERENCES team (org_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX team_member_user ON team_member (user_id);
CREATE INDEX team_member_account ON team_member (account_id);

CREATE TABLE team_package (
    org_id     INTEGER NOT NULL,
    team_id    INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    PRIMARY KEY (org_id, team_id, package_id),
    FOREIGN KEY (org_id, team_id) REFERENCES team (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX team_package_package ON team_package (org_id, package_id);

-- One package for one person, beside all teams. kind: 'grant' was given here; the others a synchronization
-- found, and say by what the platform lets the person read it. detail: what the explanation shows.
CREATE TABLE package_grant (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id     INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    user_id    INTEGER REFERENCES user (id) ON DELETE CASCADE,
    account_id INTEGER REFERENCES account (id) ON DELETE CASCADE,
    sync_id    INTEGER,
    kind       TEXT NOT NULL CHECK (kind IN ('grant', 'collaborator', 'base', 'sync')),
    detail     TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    CHECK ((user_id IS NULL) <> (account_id IS NULL)),
    CHECK ((kind = 'grant') = (sync_id IS NULL)),
    UNIQUE (org_id, package_id, user_id),
    UNIQUE (org_id, package_id, account_id, sync_id, kind),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, sync_id) REFERENCES sync (org_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX package_grant_user ON package_grant (user_id);
CREATE INDEX package_grant_account ON package_grant (account_id);

CREATE TABLE token_team (
    org_id   INTEGER NOT NULL,
    token_id INTEGER NOT NULL,
    team_id  INTEGER NOT NULL,
    PRIMARY KEY (org_id, token_id, team_id),
    FOREIGN KEY (org_id, token_id) REFERENCES token (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, team_id) REFERENCES team (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX token_team_team ON token_team (org_id, team_id);

ALTER TABLE token ADD COLUMN last_used_address TEXT;
ALTER TABLE token ADD COLUMN last_used_client TEXT;

-- via: browser, command, api or system; null for entries from before there was more than one. Both are
-- part of the hash where they are given.
ALTER TABLE audit ADD COLUMN via TEXT;
ALTER TABLE audit ADD COLUMN address TEXT;
CREATE INDEX audit_actor ON audit (actor, at);
