-- Where in a Subversion repository a package is, as JSON; none for other systems, and where the usual paths are meant.
ALTER TABLE package ADD COLUMN layout TEXT;

-- A reference that is no hexadecimal number stands in addresses by its MD5: archives are found by both.
CREATE INDEX dist_by_reference ON dist (org_id, package_id, reference);
