-- +goose Up

-- A group that is a member of a group of the same connection. Nothing here says that
-- there is no cycle: that is the provider's business, and every walk has an end.
CREATE TABLE nested_groups (
    organization_id text COLLATE "C" NOT NULL,
    group_id        text COLLATE "C" NOT NULL,
    member_id       text COLLATE "C" NOT NULL,
    PRIMARY KEY (organization_id, group_id, member_id)
);
CREATE INDEX nested_groups_by_member ON nested_groups (organization_id, member_id, group_id);

-- What the rules in force say, so that a list of users need not read them.
ALTER TABLE organizations ADD COLUMN expands_nested_groups boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE organizations DROP COLUMN expands_nested_groups;
DROP TABLE nested_groups;
