-- The vendor that a package waits for to become the organization's, so that an administrator can say yes on its page.
ALTER TABLE package ADD COLUMN held_vendor TEXT;
