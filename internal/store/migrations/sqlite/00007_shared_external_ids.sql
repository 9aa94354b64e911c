-- +goose Up

-- RFC 7643 §3.1 leaves externalId to the client, and clients give one to several users.
DROP INDEX users_external_id;
CREATE INDEX users_external_id ON users (organization_id, connection_id, external_id) WHERE external_id <> '';

-- +goose Down
DROP INDEX users_external_id;
CREATE UNIQUE INDEX users_external_id ON users (organization_id, connection_id, external_id) WHERE external_id <> '';
