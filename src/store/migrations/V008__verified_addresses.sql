-- email_verified: whether an administrator or a platform vouches for the address. Only by such a one may somebody be
-- recognised; whoever wrote it on the own profile could have written anybody's.
ALTER TABLE user ADD COLUMN email_verified INTEGER NOT NULL DEFAULT 1 CHECK (email_verified IN (0, 1));
CREATE INDEX user_email ON user (lower(email));
