-- Where an organization on a platform has projects: those whose repositories are wanted, as JSON of key and id; none: all.
ALTER TABLE sync ADD COLUMN projects TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(projects));
