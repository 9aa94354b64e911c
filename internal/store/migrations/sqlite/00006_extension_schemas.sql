-- +goose Up

-- The schemas that an organization adds to those of SCIM. The id is the URN in lower
-- case, since URNs compare so; the document has it as it was written.
CREATE TABLE extension_schemas (
    organization_id text NOT NULL,
    id              text NOT NULL,
    document        text NOT NULL,
    created_at      integer NOT NULL,
    modified_at     integer NOT NULL,
    PRIMARY KEY (organization_id, id)
) STRICT;

-- Raised by each change of them, so that whoever has them in memory notices.
ALTER TABLE organizations ADD COLUMN schemas_version integer NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE organizations DROP COLUMN schemas_version;
DROP TABLE extension_schemas;
