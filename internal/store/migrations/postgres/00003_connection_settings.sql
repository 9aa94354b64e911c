-- +goose Up

-- How a connection differs from the deployment; a rate of 0 is the deployment's.
ALTER TABLE connections
    ADD COLUMN strict     boolean NOT NULL DEFAULT false,
    ADD COLUMN rate_limit integer NOT NULL DEFAULT 0, -- requests a second
    ADD COLUMN rate_burst integer NOT NULL DEFAULT 0; -- requests at once

-- OAuth clients, who get tokens of their own (RFC 6749 §4.4).
CREATE TABLE oauth_clients (
    organization_id text COLLATE "C"   NOT NULL,
    connection_id   text COLLATE "C"   NOT NULL,
    id              text COLLATE "C"   NOT NULL,
    digest          bytea  NOT NULL, -- of the secret
    last_four       text   NOT NULL,
    created_at      bigint NOT NULL,
    expires_at      bigint NOT NULL, -- 0: never
    last_used_at    bigint NOT NULL, -- 0: never
    PRIMARY KEY (organization_id, connection_id, id)
);
ALTER TABLE tokens
    ADD COLUMN client_id    text COLLATE "C" NOT NULL DEFAULT '', -- '': made by an admin
    ADD COLUMN last_used_at bigint NOT NULL DEFAULT 0;

-- +goose Down
DELETE FROM tokens WHERE client_id <> '';
ALTER TABLE tokens DROP COLUMN client_id, DROP COLUMN last_used_at;
DROP TABLE oauth_clients;
ALTER TABLE connections DROP COLUMN strict, DROP COLUMN rate_limit, DROP COLUMN rate_burst;
