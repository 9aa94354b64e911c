-- +goose Up

-- Times are microseconds since 1970 in UTC, the same on both databases.
-- Every key begins with the organization, so that the tables can be distributed by it.
-- There are no foreign keys: the writers lock what they refer to (see package store),
-- and a check at each membership would cost as much as the membership.

CREATE TABLE deployment (
    id              integer PRIMARY KEY CHECK (id = 1),
    catalog_version integer  NOT NULL,
    redis_identity  text    NOT NULL
) STRICT;
INSERT INTO deployment (id, catalog_version, redis_identity) VALUES (1, 1, '');

CREATE TABLE admin_keys (
    id         text   PRIMARY KEY,
    name       text   NOT NULL,
    digest     blob  NOT NULL,
    last_four  text   NOT NULL,
    created_at integer NOT NULL,
    expires_at integer NOT NULL
) STRICT;

CREATE TABLE organizations (
    id            text   PRIMARY KEY,
    name          text   NOT NULL,
    created_at    integer NOT NULL,
    rules_version integer NOT NULL,
    generation    integer NOT NULL, -- of its keys in Redis
    sweep_cursor  text             -- NULL: no re-evaluation of everyone is under way
) STRICT;
CREATE INDEX organizations_sweep ON organizations (id) WHERE sweep_cursor IS NOT NULL;

CREATE TABLE connections (
    organization_id text    NOT NULL,
    id              text    NOT NULL,
    kind            text    NOT NULL,
    name            text    NOT NULL,
    disabled        integer NOT NULL,
    created_at      integer  NOT NULL,
    PRIMARY KEY (organization_id, id)
) STRICT;
CREATE INDEX connections_by_id ON connections (id);

CREATE TABLE tokens (
    organization_id text   NOT NULL,
    connection_id   text   NOT NULL,
    id              text   NOT NULL,
    digest          blob  NOT NULL,
    last_four       text   NOT NULL,
    created_at      integer NOT NULL,
    expires_at      integer NOT NULL, -- 0: never
    PRIMARY KEY (organization_id, connection_id, id)
) STRICT;

-- organization_id '' holds the roles of the whole deployment.
CREATE TABLE roles (
    organization_id text   NOT NULL,
    key             text   NOT NULL,
    document        text   NOT NULL,
    PRIMARY KEY (organization_id, key)
) STRICT;

CREATE TABLE rule_sets (
    organization_id text   NOT NULL,
    version         integer NOT NULL,
    document        text   NOT NULL,
    author          text   NOT NULL,
    comment         text   NOT NULL,
    created_at      integer NOT NULL,
    PRIMARY KEY (organization_id, version)
) STRICT;

CREATE TABLE users (
    organization_id  text    NOT NULL,
    id               text    NOT NULL,
    connection_id    text    NOT NULL,
    external_id      text    NOT NULL,
    user_name        text    NOT NULL,
    user_name_folded text    NOT NULL,
    display_name     text    NOT NULL,
    email            text    NOT NULL,
    active           integer NOT NULL,
    resource         text    NOT NULL,
    created_at       integer  NOT NULL,
    modified_at      integer  NOT NULL,
    revision         integer  NOT NULL,
    PRIMARY KEY (organization_id, id)
) STRICT;
CREATE UNIQUE INDEX users_user_name ON users (organization_id, user_name_folded);
CREATE UNIQUE INDEX users_external_id ON users (organization_id, connection_id, external_id) WHERE external_id <> '';
CREATE INDEX users_by_connection ON users (organization_id, connection_id, id);

-- How many users a connection has is the sum of these: each creation and deletion adds
-- a row, which waits for nobody, and now and then a reader's list has them added up.
CREATE TABLE user_tallies (
    organization_id text NOT NULL,
    connection_id   text NOT NULL,
    id              text NOT NULL,
    delta           integer NOT NULL,
    PRIMARY KEY (organization_id, connection_id, id)
) STRICT;

CREATE TABLE groups (
    organization_id     text   NOT NULL,
    id                  text   NOT NULL,
    connection_id       text   NOT NULL,
    external_id         text   NOT NULL,
    display_name        text   NOT NULL,
    display_name_folded text   NOT NULL,
    resource            text   NOT NULL,
    created_at          integer NOT NULL,
    modified_at         integer NOT NULL,
    revision            integer NOT NULL,
    PRIMARY KEY (organization_id, id)
) STRICT;
CREATE UNIQUE INDEX groups_display_name ON groups (organization_id, connection_id, display_name_folded);
CREATE INDEX groups_external_id ON groups (organization_id, connection_id, external_id) WHERE external_id <> '';

CREATE TABLE memberships (
    organization_id text NOT NULL,
    group_id        text NOT NULL,
    user_id         text NOT NULL,
    PRIMARY KEY (organization_id, group_id, user_id)
) STRICT;
CREATE INDEX memberships_by_user ON memberships (organization_id, user_id, group_id);

-- A member that a provider named before it created the user.
CREATE TABLE pending_members (
    organization_id text   NOT NULL,
    group_id        text   NOT NULL,
    value           text   NOT NULL,
    connection_id   text   NOT NULL,
    created_at      integer NOT NULL,
    PRIMARY KEY (organization_id, group_id, value)
) STRICT;
CREATE INDEX pending_members_by_value ON pending_members (organization_id, connection_id, value);

-- The materialized view. A row with published_version < version has yet to reach
-- Redis; nothing else is an outbox. A deleted user leaves its row as a tombstone.
CREATE TABLE assignments (
    organization_id   text    NOT NULL,
    user_id           text    NOT NULL,
    version           integer  NOT NULL,
    epoch             integer  NOT NULL,
    deleted           integer NOT NULL,
    projection        text    NOT NULL,
    aliases           text    NOT NULL,
    cause             text    NOT NULL,
    updated_at        integer  NOT NULL,
    published_version integer  NOT NULL,
    PRIMARY KEY (organization_id, user_id)
) STRICT;
CREATE INDEX assignments_unpublished ON assignments (organization_id, user_id) WHERE published_version < version;

-- Users whose assignment has to be evaluated again, because of a change that
-- touched too many of them for one transaction.
CREATE TABLE stale_users (
    organization_id text NOT NULL,
    user_id         text NOT NULL,
    cause           text NOT NULL,
    PRIMARY KEY (organization_id, user_id)
) STRICT;

CREATE TABLE audit (
    organization_id text   NOT NULL,
    id              text   NOT NULL,
    at              integer NOT NULL,
    actor           text   NOT NULL,
    action          text   NOT NULL,
    target          text   NOT NULL,
    request         text   NOT NULL,
    detail          text   NOT NULL,
    PRIMARY KEY (organization_id, id)
) STRICT;

-- +goose Down
DROP TABLE audit;
DROP TABLE stale_users;
DROP TABLE assignments;
DROP TABLE pending_members;
DROP TABLE memberships;
DROP TABLE groups;
DROP TABLE user_tallies;
DROP TABLE users;
DROP TABLE rule_sets;
DROP TABLE roles;
DROP TABLE tokens;
DROP TABLE connections;
DROP TABLE organizations;
DROP TABLE admin_keys;
DROP TABLE deployment;
