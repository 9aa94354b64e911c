-- +goose Up

-- Times are microseconds since 1970 in UTC, the same on both databases.
-- Every key begins with the organization, so that the tables can be distributed by it.
-- There are no foreign keys: the writers lock what they refer to (see package store),
-- and a check at each membership would cost as much as the membership.

CREATE TABLE deployment (
    id              integer PRIMARY KEY CHECK (id = 1),
    catalog_version bigint  NOT NULL,
    redis_identity  text    NOT NULL
);
INSERT INTO deployment (id, catalog_version, redis_identity) VALUES (1, 1, '');

CREATE TABLE admin_keys (
    id         text COLLATE "C"   PRIMARY KEY,
    name       text   NOT NULL,
    digest     bytea  NOT NULL,
    last_four  text   NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);

CREATE TABLE organizations (
    id            text COLLATE "C"   PRIMARY KEY,
    name          text   NOT NULL,
    created_at    bigint NOT NULL,
    rules_version bigint NOT NULL,
    generation    bigint NOT NULL, -- of its keys in Redis
    sweep_cursor  text             -- NULL: no re-evaluation of everyone is under way
);
CREATE INDEX organizations_sweep ON organizations (id) WHERE sweep_cursor IS NOT NULL;

CREATE TABLE connections (
    organization_id text COLLATE "C"    NOT NULL,
    id              text COLLATE "C"    NOT NULL,
    kind            text    NOT NULL,
    name            text    NOT NULL,
    disabled        boolean NOT NULL,
    created_at      bigint  NOT NULL,
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX connections_by_id ON connections (id);

CREATE TABLE tokens (
    organization_id text COLLATE "C"   NOT NULL,
    connection_id   text COLLATE "C"   NOT NULL,
    id              text COLLATE "C"   NOT NULL,
    digest          bytea  NOT NULL,
    last_four       text   NOT NULL,
    created_at      bigint NOT NULL,
    expires_at      bigint NOT NULL, -- 0: never
    PRIMARY KEY (organization_id, connection_id, id)
);

-- organization_id '' holds the roles of the whole deployment.
CREATE TABLE roles (
    organization_id text COLLATE "C"   NOT NULL,
    key             text COLLATE "C"   NOT NULL,
    document        text   NOT NULL,
    PRIMARY KEY (organization_id, key)
);

CREATE TABLE rule_sets (
    organization_id text COLLATE "C"   NOT NULL,
    version         bigint NOT NULL,
    document        text   NOT NULL,
    author          text   NOT NULL,
    comment         text   NOT NULL,
    created_at      bigint NOT NULL,
    PRIMARY KEY (organization_id, version)
);

CREATE TABLE users (
    organization_id  text COLLATE "C"    NOT NULL,
    id               text COLLATE "C"    NOT NULL,
    connection_id    text COLLATE "C"    NOT NULL,
    external_id      text COLLATE "C"    NOT NULL,
    user_name        text    NOT NULL,
    user_name_folded text COLLATE "C"    NOT NULL,
    display_name     text    NOT NULL,
    email            text    NOT NULL,
    active           boolean NOT NULL,
    resource         text    NOT NULL,
    created_at       bigint  NOT NULL,
    modified_at      bigint  NOT NULL,
    revision         bigint  NOT NULL,
    PRIMARY KEY (organization_id, id)
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX users_user_name ON users (organization_id, user_name_folded);
CREATE UNIQUE INDEX users_external_id ON users (organization_id, connection_id, external_id) WHERE external_id <> '';
CREATE INDEX users_by_connection ON users (organization_id, connection_id, id);

-- How many users a connection has is the sum of these: each creation and deletion adds
-- a row, which waits for nobody, and now and then a reader's list has them added up.
CREATE TABLE user_tallies (
    organization_id text COLLATE "C" NOT NULL,
    connection_id   text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    delta           bigint NOT NULL,
    PRIMARY KEY (organization_id, connection_id, id)
);

CREATE TABLE groups (
    organization_id     text COLLATE "C"   NOT NULL,
    id                  text COLLATE "C"   NOT NULL,
    connection_id       text COLLATE "C"   NOT NULL,
    external_id         text COLLATE "C"   NOT NULL,
    display_name        text   NOT NULL,
    display_name_folded text COLLATE "C"   NOT NULL,
    resource            text   NOT NULL,
    created_at          bigint NOT NULL,
    modified_at         bigint NOT NULL,
    revision            bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX groups_display_name ON groups (organization_id, connection_id, display_name_folded);
CREATE INDEX groups_external_id ON groups (organization_id, connection_id, external_id) WHERE external_id <> '';

CREATE TABLE memberships (
    organization_id text COLLATE "C" NOT NULL,
    group_id        text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    PRIMARY KEY (organization_id, group_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (organization_id, user_id, group_id);

-- A member that a provider named before it created the user.
CREATE TABLE pending_members (
    organization_id text COLLATE "C"   NOT NULL,
    group_id        text COLLATE "C"   NOT NULL,
    value           text COLLATE "C"   NOT NULL,
    connection_id   text COLLATE "C"   NOT NULL,
    created_at      bigint NOT NULL,
    PRIMARY KEY (organization_id, group_id, value)
);
CREATE INDEX pending_members_by_value ON pending_members (organization_id, connection_id, value);

-- The materialized view. A row with published_version < version has yet to reach
-- Redis; nothing else is an outbox. A deleted user leaves its row as a tombstone.
CREATE TABLE assignments (
    organization_id   text COLLATE "C"    NOT NULL,
    user_id           text COLLATE "C"    NOT NULL,
    version           bigint  NOT NULL,
    epoch             bigint  NOT NULL,
    deleted           boolean NOT NULL,
    projection        text    NOT NULL,
    aliases           text    NOT NULL,
    cause             text    NOT NULL,
    updated_at        bigint  NOT NULL,
    published_version bigint  NOT NULL,
    PRIMARY KEY (organization_id, user_id)
) WITH (fillfactor = 70);
CREATE INDEX assignments_unpublished ON assignments (organization_id, user_id) WHERE published_version < version;

-- Users whose assignment has to be evaluated again, because of a change that
-- touched too many of them for one transaction.
CREATE TABLE stale_users (
    organization_id text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    cause           text NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);

CREATE TABLE audit (
    organization_id text COLLATE "C"   NOT NULL,
    id              text COLLATE "C"   NOT NULL,
    at              bigint NOT NULL,
    actor           text   NOT NULL,
    action          text   NOT NULL,
    target          text   NOT NULL,
    request         text   NOT NULL,
    detail          text   NOT NULL,
    PRIMARY KEY (organization_id, id)
);

-- +goose Down
DROP TABLE audit, stale_users, assignments, pending_members, memberships, groups, user_tallies, users, rule_sets, roles,
    tokens, connections, organizations, admin_keys, deployment;
