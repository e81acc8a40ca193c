-- Repositories with several packages, each in a directory of its own.

-- directories: of a repository, where its packages are: JSON, a list of patterns; none where it is one package itself.
-- parent_id, directory: of a package in a directory, the row of its repository (which has the address, the credential, the
-- mirror, the webhook and the jobs of all) and where in it it is.
ALTER TABLE package ADD COLUMN directories TEXT;
ALTER TABLE package ADD COLUMN parent_id INTEGER REFERENCES package (id) ON DELETE CASCADE;
ALTER TABLE package ADD COLUMN directory TEXT;
CREATE INDEX package_parent ON package (parent_id) WHERE parent_id IS NOT NULL;

-- What a package's directory was: the commit that stands for a tree is the reference of all versions that have the tree, and
-- time and offset are when it was made. directory: where the tree is in that commit.
CREATE TABLE subtree (
    org_id     INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    tree       TEXT NOT NULL,
    reference  TEXT NOT NULL,
    directory  TEXT NOT NULL,
    time       INTEGER NOT NULL,
    offset     INTEGER NOT NULL,
    PRIMARY KEY (org_id, package_id, tree),
    UNIQUE (org_id, package_id, reference),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT;

-- Directories that are meant and are no packages, and why.
CREATE TABLE directory_problem (
    org_id     INTEGER NOT NULL,
    package_id INTEGER NOT NULL,
    directory  TEXT NOT NULL,
    reason     TEXT NOT NULL,
    PRIMARY KEY (org_id, package_id, directory),
    FOREIGN KEY (org_id, package_id) REFERENCES package (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Who may read a repository may read the packages in its directories, now and later.
CREATE VIEW reach AS
    SELECT org_id, id AS package_id, id AS reached_id FROM package
    UNION ALL
    SELECT org_id, parent_id, id FROM package WHERE parent_id IS NOT NULL;
