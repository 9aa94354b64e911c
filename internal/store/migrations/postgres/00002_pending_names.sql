-- +goose Up

-- A pending member may name an externalId, which compares as it is, or a userName,
-- which compares without case. The program folds; lower() is near enough for what
-- waited before.
ALTER TABLE pending_members ADD COLUMN value_folded text COLLATE "C" NOT NULL DEFAULT '';
UPDATE pending_members SET value_folded = lower(trim(value));
DROP INDEX pending_members_by_value;
CREATE INDEX pending_members_by_name ON pending_members (organization_id, connection_id, value_folded);

-- +goose Down
DROP INDEX pending_members_by_name;
ALTER TABLE pending_members DROP COLUMN value_folded;
CREATE INDEX pending_members_by_value ON pending_members (organization_id, connection_id, value);
