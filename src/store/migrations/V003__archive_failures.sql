-- The last archive of a package that could not be built, for people who wonder why; one at most.
CREATE TABLE archive_failure (
    org_id     INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    reference  TEXT NOT NULL,
    error      TEXT NOT NULL,
    failed_at  INTEGER NOT NULL,
    PRIMARY KEY (org_id, package_id),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT;
