-- +goose Up

-- What connections sent, and how it went. Each process adds to these rows every two
-- seconds; no change of facts reads or writes them.
CREATE TABLE connection_traffic (
    organization_id text COLLATE "C" NOT NULL,
    connection_id   text COLLATE "C" NOT NULL,
    kind            text COLLATE "C" NOT NULL, -- users.create, groups.patch, ...
    succeeded       bigint NOT NULL,
    failed          bigint NOT NULL,
    last_success_at bigint NOT NULL, -- 0: never
    last_failure_at bigint NOT NULL, -- 0: never
    PRIMARY KEY (organization_id, connection_id, kind)
);

-- The newest failures of each connection, without the values that the bodies held.
CREATE TABLE connection_failures (
    organization_id text COLLATE "C" NOT NULL,
    connection_id   text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL, -- sorts by time
    at              bigint NOT NULL,
    kind            text COLLATE "C" NOT NULL,
    status          bigint NOT NULL,
    code            text NOT NULL, -- of the protocol: the scimType
    detail          text NOT NULL,
    method          text NOT NULL,
    path            text NOT NULL,
    request         text NOT NULL,
    body            text NOT NULL,
    PRIMARY KEY (organization_id, connection_id, id)
);

-- Attributes that a provider sends and the schema does not know.
CREATE TABLE connection_unmapped (
    organization_id text COLLATE "C" NOT NULL,
    connection_id   text COLLATE "C" NOT NULL,
    name            text COLLATE "C" NOT NULL,
    count           bigint NOT NULL,
    first_at        bigint NOT NULL,
    last_at         bigint NOT NULL,
    PRIMARY KEY (organization_id, connection_id, name)
);

-- +goose Down
DROP TABLE connection_unmapped;
DROP TABLE connection_failures;
DROP TABLE connection_traffic;
