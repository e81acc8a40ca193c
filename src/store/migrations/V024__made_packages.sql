-- Packages that have no repository: vcs is `custom` (somebody wrote their JSON), `artifact` (somebody uploaded their archives)
-- or `blocked` (nothing is served under the name).

-- definition: the JSON as it was written.
CREATE TABLE custom_package (
    org_id     INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (org_id, package_id),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT;

-- An archive that was fetched for a custom package: what came first counts for ever. fetched: SHA-1 of what came; shasum,
-- digest and size: of what is served.
CREATE TABLE mirrored_dist (
    org_id     INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    reference  TEXT NOT NULL,
    url        TEXT NOT NULL,
    fetched    TEXT NOT NULL,
    shasum     TEXT NOT NULL,
    digest     BLOB NOT NULL,
    size       INTEGER NOT NULL,
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, package_id, reference),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT;

-- An uploaded archive, one a version. uploaded: SHA-256 of what came; shasum (SHA-1) and size: of what is served. uploaded_by: as
-- the audit log names people.
CREATE TABLE artifact (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    org_id             INTEGER NOT NULL,
    package_id         INTEGER NOT NULL,
    version_normalized TEXT NOT NULL,
    version            TEXT NOT NULL,
    file_name          TEXT NOT NULL,
    uploaded           BLOB NOT NULL,
    shasum             TEXT NOT NULL,
    size               INTEGER NOT NULL,
    manifest           TEXT NOT NULL,
    uploaded_at        INTEGER NOT NULL,
    uploaded_by        TEXT NOT NULL,
    UNIQUE (org_id, package_id, version_normalized),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT;
