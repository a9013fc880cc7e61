-- Credentials are kept encrypted. Those from before are moved by the server when
-- it starts, since only it has the key; then their table is dropped.
ALTER TABLE credentials RENAME TO credentials_plain;
ALTER INDEX credentials_pkey RENAME TO credentials_plain_pkey;

CREATE TABLE credentials (
    tenant           text        NOT NULL,
    alias            text        NOT NULL,
    kind             text        NOT NULL,
    allow_privileged boolean     NOT NULL,
    key_id           text        NOT NULL,
    nonce            bytea       NOT NULL,
    ciphertext       bytea       NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, alias)
);
