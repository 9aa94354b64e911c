-- +goose Up

-- How a connection differs from the deployment; a rate of 0 is the deployment's.
ALTER TABLE connections ADD COLUMN strict     integer NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN rate_limit integer NOT NULL DEFAULT 0; -- requests a second
ALTER TABLE connections ADD COLUMN rate_burst integer NOT NULL DEFAULT 0; -- requests at once

-- OAuth clients, who get tokens of their own (RFC 6749 §4.4).
CREATE TABLE oauth_clients (
    organization_id text    NOT NULL,
    connection_id   text    NOT NULL,
    id              text    NOT NULL,
    digest          blob    NOT NULL, -- of the secret
    last_four       text    NOT NULL,
    created_at      integer NOT NULL,
    expires_at      integer NOT NULL, -- 0: never
    last_used_at    integer NOT NULL, -- 0: never
    PRIMARY KEY (organization_id, connection_id, id)
) STRICT;
ALTER TABLE tokens ADD COLUMN client_id    text    NOT NULL DEFAULT ''; -- '': made by an admin
ALTER TABLE tokens ADD COLUMN last_used_at integer NOT NULL DEFAULT 0;

-- +goose Down
DELETE FROM tokens WHERE client_id <> '';
ALTER TABLE tokens DROP COLUMN client_id;
ALTER TABLE tokens DROP COLUMN last_used_at;
DROP TABLE oauth_clients;
ALTER TABLE connections DROP COLUMN strict;
ALTER TABLE connections DROP COLUMN rate_limit;
ALTER TABLE connections DROP COLUMN rate_burst;
