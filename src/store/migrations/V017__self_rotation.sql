-- What became of tokens that replace themselves (credential.self_rotate).
--
-- asked_at: since when the platform was asked for another token and no answer is stored. Whoever finds it set asks for none.
-- failed_at, reason: when the platform did not replace it when that was tried last, and why.
-- lost_at: since when there is a token in its place that nobody has, because the answer got lost.
CREATE TABLE self_rotation (
    credential_id INTEGER PRIMARY KEY,
    org_id        INTEGER NOT NULL,
    asked_at      INTEGER,
    failed_at     INTEGER,
    reason        TEXT,
    lost_at       INTEGER,
    FOREIGN KEY (org_id, credential_id) REFERENCES credential (org_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX self_rotation_org ON self_rotation (org_id, credential_id);

-- told_days: how many days before its end it was last said that the credential ends; null: not yet.
ALTER TABLE credential ADD COLUMN told_days INTEGER;
