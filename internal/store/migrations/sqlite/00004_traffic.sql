-- +goose Up

-- What connections sent, and how it went. Each process adds to these rows every two
-- seconds; no change of facts reads or writes them.
CREATE TABLE connection_traffic (
    organization_id text NOT NULL,
    connection_id   text NOT NULL,
    kind            text NOT NULL, -- users.create, groups.patch, ...
    succeeded       integer NOT NULL,
    failed          integer NOT NULL,
    last_success_at integer NOT NULL, -- 0: never
    last_failure_at integer NOT NULL, -- 0: never
    PRIMARY KEY (organization_id, connection_id, kind)
) STRICT;

-- The newest failures of each connection, without the values that the bodies held.
CREATE TABLE connection_failures (
    organization_id text NOT NULL,
    connection_id   text NOT NULL,
    id              text NOT NULL, -- sorts by time
    at              integer NOT NULL,
    kind            text NOT NULL,
    status          integer NOT NULL,
    code            text NOT NULL, -- of the protocol: the scimType
    detail          text NOT NULL,
    method          text NOT NULL,
    path            text NOT NULL,
    request         text NOT NULL,
    body            text NOT NULL,
    PRIMARY KEY (organization_id, connection_id, id)
) STRICT;

-- Attributes that a provider sends and the schema does not know.
CREATE TABLE connection_unmapped (
    organization_id text NOT NULL,
    connection_id   text NOT NULL,
    name            text NOT NULL,
    count           integer NOT NULL,
    first_at        integer NOT NULL,
    last_at         integer NOT NULL,
    PRIMARY KEY (organization_id, connection_id, name)
) STRICT;

-- +goose Down
DROP TABLE connection_unmapped;
DROP TABLE connection_failures;
DROP TABLE connection_traffic;
