-- +goose Up

-- A group that is a member of a group of the same connection. Nothing here says that
-- there is no cycle: that is the provider's business, and every walk has an end.
CREATE TABLE nested_groups (
    organization_id text NOT NULL,
    group_id        text NOT NULL,
    member_id       text NOT NULL,
    PRIMARY KEY (organization_id, group_id, member_id)
) STRICT;
CREATE INDEX nested_groups_by_member ON nested_groups (organization_id, member_id, group_id);

-- What the rules in force say, so that a list of users need not read them.
ALTER TABLE organizations ADD COLUMN expands_nested_groups integer NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE organizations DROP COLUMN expands_nested_groups;
DROP TABLE nested_groups;
