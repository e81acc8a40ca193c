-- Accounts of platforms that somebody connected to be used as credentials. The access token is the credential's secret; the
-- refresh token is sealed here, and both are replaced in one transaction.
--
-- hooks:      whether it was asked for enough to install webhooks.
-- obtained_at, ends_at: of the access token, by our clock; ends_at is null where it does not end.
-- refused_at: since when the platform renews nothing any more, so that somebody has to connect the account again.
CREATE TABLE connected_account (
    credential_id INTEGER PRIMARY KEY,
    org_id        INTEGER NOT NULL,
    integration   TEXT NOT NULL,
    subject       TEXT NOT NULL,
    hooks         INTEGER NOT NULL CHECK (hooks IN (0, 1)),
    refresh       BLOB,
    connected_at  INTEGER NOT NULL,
    obtained_at   INTEGER NOT NULL,
    ends_at       INTEGER,
    refused_at    INTEGER,
    FOREIGN KEY (org_id, credential_id) REFERENCES credential (org_id, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX connected_account_org ON connected_account (org_id, credential_id);

-- self_rotate: whether the token is to replace itself before it ends, at platforms that let it.
ALTER TABLE credential ADD COLUMN self_rotate INTEGER NOT NULL DEFAULT 0 CHECK (self_rotate IN (0, 1));
