-- +goose Up

-- Whose groups count, and whether SCIM has pushed one, which decides what "auto" means.
ALTER TABLE organizations
    ADD COLUMN group_authority text COLLATE "C" NOT NULL DEFAULT 'auto',
    ADD COLUMN scim_groups boolean NOT NULL DEFAULT false,
    ADD COLUMN saml boolean NOT NULL DEFAULT false; -- it has a SAML connection
UPDATE organizations AS o SET scim_groups = true WHERE EXISTS (SELECT 1 FROM groups AS g WHERE g.organization_id = o.id);

-- The kind of the connection, which never changes.
ALTER TABLE groups ADD COLUMN kind text COLLATE "C" NOT NULL DEFAULT 'scim';

-- To find a person by e-mail address. It is in the index only where it is not the
-- userName, which has an index of its own. The program folds; lower() is near enough for
-- what is here already.
ALTER TABLE users ADD COLUMN email_folded text COLLATE "C" NOT NULL DEFAULT '';
UPDATE users SET email_folded = lower(trim(email)) WHERE email <> '';
CREATE INDEX users_email ON users (organization_id, email_folded) WHERE email_folded <> '' AND email_folded <> user_name_folded;

CREATE TABLE saml_connections (
    organization_id text COLLATE "C" NOT NULL,
    connection_id   text COLLATE "C" NOT NULL,
    document        text   NOT NULL,
    revision        bigint NOT NULL, -- raised by one at each change of the document
    fetched_at      bigint NOT NULL, -- 0: never
    fetch_error     text   NOT NULL, -- of the newest attempt; '': it succeeded
    next_fetch_at   bigint NOT NULL, -- 0: not by itself
    warned_days     bigint NOT NULL, -- the last threshold that was warned of; 0: none
    PRIMARY KEY (organization_id, connection_id)
);
CREATE INDEX saml_connections_due ON saml_connections (next_fetch_at) WHERE next_fetch_at > 0;

-- A domain leads to one connection of the whole deployment.
CREATE TABLE saml_domains (
    organization_id text COLLATE "C" NOT NULL,
    domain          text COLLATE "C" NOT NULL,
    connection_id   text COLLATE "C" NOT NULL,
    PRIMARY KEY (organization_id, domain)
);
CREATE UNIQUE INDEX saml_domains_domain ON saml_domains (domain);

CREATE TABLE saml_keys (
    organization_id text COLLATE "C" NOT NULL,
    connection_id   text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    use             text COLLATE "C" NOT NULL,
    active          boolean NOT NULL,
    certificate     bytea   NOT NULL,
    sealed          bytea   NOT NULL,
    created_at      bigint  NOT NULL,
    expires_at      bigint  NOT NULL,
    PRIMARY KEY (organization_id, connection_id, id)
);

-- Who a provider's subject is. The subject is as the connection knows it: its name and
-- what qualifies it, never a bare e-mail address.
CREATE TABLE saml_identities (
    organization_id text COLLATE "C" NOT NULL,
    connection_id   text COLLATE "C" NOT NULL,
    subject         text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    created_at      bigint NOT NULL,
    PRIMARY KEY (organization_id, connection_id, subject)
);
CREATE INDEX saml_identities_by_user ON saml_identities (organization_id, user_id);

-- Logins under way. Each is taken once.
CREATE TABLE saml_requests (
    organization_id text COLLATE "C" NOT NULL,
    connection_id   text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL, -- the hash of the RelayState
    document        text   NOT NULL,
    expires_at      bigint NOT NULL,
    PRIMARY KEY (organization_id, connection_id, id)
);
CREATE INDEX saml_requests_expired ON saml_requests (expires_at);

-- Assertions and logout requests that were used, until they are of no use to anybody.
CREATE TABLE saml_messages (
    organization_id text COLLATE "C" NOT NULL,
    connection_id   text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    expires_at      bigint NOT NULL,
    PRIMARY KEY (organization_id, connection_id, id)
);
CREATE INDEX saml_messages_expired ON saml_messages (expires_at);

-- Test logins and what came of them.
CREATE TABLE saml_trials (
    organization_id text COLLATE "C" NOT NULL,
    connection_id   text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    digest          bytea  NOT NULL, -- of the secret in its address
    document        text   NOT NULL, -- '': nothing came yet
    created_at      bigint NOT NULL,
    expires_at      bigint NOT NULL,
    PRIMARY KEY (organization_id, connection_id, id)
);
CREATE INDEX saml_trials_expired ON saml_trials (expires_at);

-- What people sign in to. Applications belong to the deployment.
CREATE TABLE applications (
    id            text COLLATE "C" PRIMARY KEY,
    name          text   NOT NULL,
    redirect_uris text   NOT NULL, -- a JSON array
    created_at    bigint NOT NULL
);
CREATE TABLE application_secrets (
    application_id text COLLATE "C" NOT NULL,
    id             text COLLATE "C" NOT NULL,
    digest         bytea  NOT NULL,
    last_four      text   NOT NULL,
    created_at     bigint NOT NULL,
    expires_at     bigint NOT NULL, -- 0: never
    PRIMARY KEY (application_id, id)
);

-- Codes that an application exchanges (RFC 6749 §4.1.2). Each is taken once.
CREATE TABLE sso_codes (
    organization_id text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL, -- the hash of the code
    document        text   NOT NULL,
    expires_at      bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX sso_codes_expired ON sso_codes (expires_at);

-- +goose Down
DELETE FROM memberships AS m USING groups AS g WHERE g.organization_id = m.organization_id AND g.id = m.group_id AND g.kind <> 'scim';
DELETE FROM groups WHERE kind <> 'scim';
DROP TABLE sso_codes, application_secrets, applications, saml_trials, saml_messages, saml_requests, saml_identities, saml_keys, saml_domains, saml_connections;
DROP INDEX users_email;
ALTER TABLE users DROP COLUMN email_folded;
ALTER TABLE groups DROP COLUMN kind;
ALTER TABLE organizations DROP COLUMN group_authority, DROP COLUMN scim_groups, DROP COLUMN saml;
