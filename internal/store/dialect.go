package store

import "encoding/json"

// This file holds all that PostgreSQL and SQLite say differently, besides the
// transport in postgres.go and sqlite.go: statements over a list of values, and
// locks. A list is text[] on one and a JSON array on the other; SQLite has one
// writer, so it needs no locks and leaves those statements out.

const selectNames = `SELECT id, external_id, user_name_folded FROM users WHERE organization_id = $1 AND connection_id = $2`

const lockUsersOf = `SELECT id FROM users WHERE organization_id = $1 AND connection_id = $2 AND id = ANY($4) ORDER BY id FOR NO KEY UPDATE`

// It names $3 so that it takes the arguments of the change beside it.
const usersOf = `SELECT id FROM users WHERE organization_id = $1 AND connection_id = $2 AND $3 <> '' AND id IN (SELECT value FROM json_each($4)) ORDER BY id`

var (
	// Transaction-scoped, kept in memory, and shared without writing to any row:
	// fact changes of one organization run side by side.
	lockShared = text{postgres: `SELECT pg_advisory_xact_lock_shared(1, 0), pg_advisory_xact_lock_shared($1)`}
	// A change of rules waits for the fact changes under way, and holds up new ones.
	lockOrganization = text{postgres: `SELECT pg_advisory_xact_lock_shared(1, 0), pg_advisory_xact_lock($1)`}
	// A change of the deployment's roles does that to every organization.
	lockDeployment = text{postgres: `SELECT pg_advisory_xact_lock(1, 0)`}
	// Names that are not users yet; held while one is kept as pending or created. Few of
	// them share the lock on all names, since it takes one entry each of a table that all
	// transactions of the server share; many take that one alone.
	lockNames    = text{postgres: `SELECT pg_advisory_xact_lock(n) FROM pg_advisory_xact_lock_shared($1), (SELECT unnest($2::bigint[]) AS n ORDER BY 1) AS names`}
	lockAllNames = text{postgres: `SELECT pg_advisory_xact_lock($1)`}

	// In order of id, so that two transactions never wait for each other.
	lockAnyUsers = text{
		postgres: `SELECT id FROM users WHERE organization_id = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE`,
	}
	lockUser = text{
		postgres: selectUser + ` WHERE organization_id = $1 AND connection_id = $2 AND id = $3 FOR NO KEY UPDATE`,
		sqlite:   selectUser + ` WHERE organization_id = $1 AND connection_id = $2 AND id = $3`,
	}
	lockGroup = text{
		postgres: selectGroup + ` WHERE organization_id = $1 AND connection_id = $2 AND id = $3 FOR NO KEY UPDATE`,
		sqlite:   selectGroup + ` WHERE organization_id = $1 AND connection_id = $2 AND id = $3`,
	}
	// A revision is raised for each reason, so a group may be raised twice.
	raiseGroups = text{
		postgres: `WITH locked AS (SELECT id FROM groups WHERE organization_id = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE)
			UPDATE groups AS g SET revision = g.revision + 1, modified_at = $3 FROM locked WHERE g.organization_id = $1 AND g.id = locked.id`,
		sqlite: `UPDATE groups SET revision = revision + 1, modified_at = $3 WHERE organization_id = $1 AND id IN (SELECT value FROM json_each($2))`,
	}
	raiseGroupsOf = text{
		postgres: `WITH locked AS (SELECT g.id FROM memberships AS m JOIN groups AS g ON g.organization_id = m.organization_id AND g.id = m.group_id
				WHERE m.organization_id = $1 AND m.user_id = $2 AND m.group_id <> ALL($3) AND g.kind = 'scim' ORDER BY m.group_id FOR NO KEY UPDATE OF g)
			UPDATE groups AS g SET revision = g.revision + 1, modified_at = $4 FROM locked WHERE g.organization_id = $1 AND g.id = locked.id RETURNING g.id`,
		sqlite: `UPDATE groups SET revision = revision + 1, modified_at = $4 WHERE organization_id = $1 AND kind = 'scim' AND id IN
				(SELECT group_id FROM memberships WHERE organization_id = $1 AND user_id = $2 AND group_id NOT IN (SELECT value FROM json_each($3)))
			RETURNING id`,
	}

	// Users are locked and their memberships changed in one statement, where the
	// database can; SQLite needs two.
	lockAndInsertMembers = text{
		postgres: `WITH locked AS (` + lockUsersOf + `), joined AS (INSERT INTO memberships (organization_id, group_id, user_id)
				SELECT $1, $3, id FROM locked ON CONFLICT DO NOTHING)
			SELECT id FROM locked`,
		sqlite: usersOf,
	}
	insertMembers = text{
		sqlite: `INSERT INTO memberships (organization_id, group_id, user_id)
			SELECT organization_id, $3, id FROM users WHERE organization_id = $1 AND connection_id = $2 AND id IN (SELECT value FROM json_each($4))
			ON CONFLICT DO NOTHING`,
	}
	lockAndDeleteMembers = text{
		postgres: `WITH locked AS (` + lockUsersOf + `), gone AS (DELETE FROM memberships
				WHERE organization_id = $1 AND group_id = $3 AND user_id IN (SELECT id FROM locked))
			SELECT id FROM locked`,
		sqlite: usersOf,
	}
	deleteMembers = text{
		sqlite: `DELETE FROM memberships WHERE organization_id = $1 AND group_id = $3 AND user_id IN (SELECT value FROM json_each($4))`,
	}
	insertPending = text{
		postgres: `INSERT INTO pending_members (organization_id, group_id, value, value_folded, connection_id, created_at)
			SELECT $1, $2, v, f, $3, $4::bigint FROM unnest($5::text[], $6::text[]) AS p (v, f) ON CONFLICT DO NOTHING`,
		sqlite: `INSERT INTO pending_members (organization_id, group_id, value, value_folded, connection_id, created_at)
			SELECT $1, $2, v.value, f.value, $3, $4 FROM json_each($5) AS v JOIN json_each($6) AS f ON f.key = v.key WHERE true ON CONFLICT DO NOTHING`,
	}
	deletePending = text{
		postgres: `DELETE FROM pending_members WHERE organization_id = $1 AND group_id = $2 AND value = ANY($3)`,
		sqlite:   `DELETE FROM pending_members WHERE organization_id = $1 AND group_id = $2 AND value IN (SELECT value FROM json_each($3))`,
	}
	// An externalId folds to what its value folded to, so that one index finds both.
	takePending = same(`DELETE FROM pending_members WHERE organization_id = $1 AND connection_id = $2 AND value_folded IN ($3, $4)
		AND (value_folded = $4 OR value = $5) AND NOT EXISTS (SELECT 1 FROM users AS u
			WHERE u.organization_id = $1 AND u.connection_id = $2 AND u.external_id = pending_members.value AND u.external_id <> '' AND u.id <> $6)
		RETURNING group_id`)

	usersNamed = text{
		postgres: selectNames + ` AND (external_id = ANY($3) AND external_id <> '' OR user_name_folded = ANY($4)) ORDER BY id`,
		sqlite:   selectNames + ` AND (external_id IN (SELECT value FROM json_each($3)) AND external_id <> '' OR user_name_folded IN (SELECT value FROM json_each($4))) ORDER BY id`,
	}

	usersByID = text{
		postgres: selectUser + ` WHERE organization_id = $1 AND connection_id = $2 AND id = ANY($3) ORDER BY id`,
		sqlite:   selectUser + ` WHERE organization_id = $1 AND connection_id = $2 AND id IN (SELECT value FROM json_each($3)) ORDER BY id`,
	}
	groupsByID = text{
		postgres: selectGroup + ` WHERE organization_id = $1 AND connection_id = $2 AND id = ANY($3) ORDER BY id`,
		sqlite:   selectGroup + ` WHERE organization_id = $1 AND connection_id = $2 AND id IN (SELECT value FROM json_each($3)) ORDER BY id`,
	}
	factsOfUsers = text{
		postgres: selectFacts + ` WHERE u.organization_id = $1 AND u.id = ANY($2) ORDER BY u.id`,
		sqlite:   selectFacts + ` WHERE u.organization_id = $1 AND u.id IN (SELECT value FROM json_each($2)) ORDER BY u.id`,
	}
	membersOfGroups = text{
		postgres: selectMembersOf + `unnest($2::text[]) AS g (id) ORDER BY id`,
		sqlite:   selectMembersOf + `(SELECT value AS id FROM json_each($2)) AS g ORDER BY id`,
	}
	groupsOfUsers = text{
		postgres: selectGroupsOf(`= ANY($2)`, `true`, `true`),
		sqlite:   selectGroupsOf(`IN (SELECT value FROM json_each($2))`, `true`, `true`),
	}
	countedGroupsOfUsers = text{
		postgres: selectGroupsOf(`= ANY($2)`, ifExpanded, `g.kind = 'scim'`),
		sqlite:   selectGroupsOf(`IN (SELECT value FROM json_each($2))`, ifExpanded, `g.kind = 'scim'`),
	}

	// The row of the user is locked here and read; what else is known of the user is read
	// by statements that come after it.
	lockIdentified = text{
		postgres: selectUser + ` WHERE organization_id = $1 AND id = ` + identified + ` FOR NO KEY UPDATE`,
		sqlite:   selectUser + ` WHERE organization_id = $1 AND id = ` + identified,
	}
	assignmentOfIdentified = same(selectAssignment + ` WHERE organization_id = $1 AND user_id = ` + identified)
	groupsOfIdentified     = same(`SELECT m.user_id, '', g.id, g.connection_id, g.kind, g.display_name FROM memberships AS m CROSS JOIN groups AS g
		WHERE m.organization_id = $1 AND m.user_id = ` + identified + ` AND g.organization_id = $1 AND g.id = m.group_id ORDER BY m.group_id`)
	lockCandidates = text{
		postgres: selectCandidates + ` FOR NO KEY UPDATE`,
		sqlite:   selectCandidates,
	}
	// In order of name, so that two logins that state the same new groups do not wait for
	// each other. Who has stated one first, and has yet to commit, is waited for.
	insertStatedGroups = text{
		postgres: insertStated + `FROM jsonb_to_recordset($4::text::jsonb) AS v (id text, name text, folded text)` + notStatedYet,
		sqlite:   insertStated + `FROM (SELECT value ->> 'id' AS id, value ->> 'name' AS name, value ->> 'folded' AS folded FROM json_each($4)) AS v` + notStatedYet,
	}
	insertStatedMemberships = text{
		postgres: insertMembership + `= ANY($4) ON CONFLICT DO NOTHING`,
		sqlite:   insertMembership + `IN (SELECT value FROM json_each($4)) ON CONFLICT DO NOTHING`,
	}
	deleteMemberships = text{
		postgres: `DELETE FROM memberships WHERE organization_id = $1 AND user_id = $2 AND group_id = ANY($3)`,
		sqlite:   `DELETE FROM memberships WHERE organization_id = $1 AND user_id = $2 AND group_id IN (SELECT value FROM json_each($3))`,
	}
	lockAdopted = text{
		postgres: selectCandidate + ` WHERE organization_id = $1 AND id = $2 FOR NO KEY UPDATE`,
		sqlite:   selectCandidate + ` WHERE organization_id = $1 AND id = $2`,
	}

	insertNested = text{
		postgres: `INSERT INTO nested_groups (organization_id, group_id, member_id)
			SELECT organization_id, $3, id FROM groups WHERE organization_id = $1 AND connection_id = $2 AND id = ANY($4) AND id <> $3 ON CONFLICT DO NOTHING`,
		sqlite: `INSERT INTO nested_groups (organization_id, group_id, member_id)
			SELECT organization_id, $3, id FROM groups WHERE organization_id = $1 AND connection_id = $2 AND id IN (SELECT value FROM json_each($4)) AND id <> $3
			ON CONFLICT DO NOTHING`,
	}
	deleteNested = text{
		postgres: `DELETE FROM nested_groups WHERE organization_id = $1 AND group_id = $2 AND member_id = ANY($3)`,
		sqlite:   `DELETE FROM nested_groups WHERE organization_id = $1 AND group_id = $2 AND member_id IN (SELECT value FROM json_each($3))`,
	}
	groupsAmong = text{
		postgres: `SELECT id FROM groups WHERE organization_id = $1 AND connection_id = $2 AND id = ANY($3) ORDER BY id`,
		sqlite:   `SELECT id FROM groups WHERE organization_id = $1 AND connection_id = $2 AND id IN (SELECT value FROM json_each($3)) ORDER BY id`,
	}
	usersBelow = below(`SELECT user_id FROM (SELECT m.user_id FROM (SELECT DISTINCT group_id FROM below) AS b CROSS JOIN memberships AS m
		WHERE m.organization_id = $1 AND m.group_id = b.group_id LIMIT $4) AS m ORDER BY user_id`)

	// SKIP LOCKED: what another process takes at the same moment is its business.
	takeDueMetadata = text{
		postgres: `WITH due AS (SELECT organization_id, connection_id FROM saml_connections WHERE next_fetch_at > 0 AND next_fetch_at <= $1
				ORDER BY next_fetch_at LIMIT $3 FOR UPDATE SKIP LOCKED)
			UPDATE saml_connections AS m SET next_fetch_at = $2 FROM due
			WHERE m.organization_id = due.organization_id AND m.connection_id = due.connection_id RETURNING m.organization_id, m.connection_id`,
		sqlite: `UPDATE saml_connections SET next_fetch_at = $2 WHERE (organization_id, connection_id) IN
				(SELECT organization_id, connection_id FROM saml_connections WHERE next_fetch_at > 0 AND next_fetch_at <= $1 ORDER BY next_fetch_at LIMIT $3)
			RETURNING organization_id, connection_id`,
	}

	markPublished = text{
		// SKIP LOCKED: a row that a change holds is about to get a newer version, so
		// waiting for it would only invite a deadlock.
		postgres: `UPDATE assignments AS a SET published_version = d.version
			FROM (SELECT a.organization_id, a.user_id, p.version
				FROM unnest($1::text[], $2::text[], $3::bigint[]) AS p (organization_id, user_id, version)
				JOIN assignments AS a ON a.organization_id = p.organization_id AND a.user_id = p.user_id
				WHERE a.published_version < p.version FOR NO KEY UPDATE OF a SKIP LOCKED) AS d
			WHERE a.organization_id = d.organization_id AND a.user_id = d.user_id`,
		sqlite: `UPDATE assignments SET published_version = $3 WHERE organization_id = $1 AND user_id = $2 AND published_version < $3`,
	}
	// A mark that is lost in a crash only makes the same version be written again.
	asynchronousCommit = text{postgres: `SELECT set_config('synchronous_commit', 'off', true)`}

	// Who is on the backlog already is put there again, not left alone: a worker that
	// is about to take the old entry off must pass it over (SKIP LOCKED), or wait, since
	// it does not see this change yet. In order of id, so that two such changes do not
	// wait for each other.
	insertStaleBelow = below(`INSERT INTO stale_users (organization_id, user_id, cause) SELECT organization_id, user_id, $4 FROM
			(SELECT DISTINCT m.organization_id, m.user_id FROM below AS b CROSS JOIN memberships AS m WHERE m.organization_id = $1 AND m.group_id = b.group_id) AS m
			WHERE true ORDER BY user_id
		ON CONFLICT (organization_id, user_id) DO UPDATE SET cause = excluded.cause`)
	insertStale = text{
		postgres: `INSERT INTO stale_users (organization_id, user_id, cause) SELECT $1, v, $3 FROM (SELECT DISTINCT unnest($2::text[]) AS v ORDER BY 1) AS users
			ON CONFLICT (organization_id, user_id) DO UPDATE SET cause = excluded.cause`,
		sqlite: `INSERT INTO stale_users (organization_id, user_id, cause) SELECT $1, value, $3 FROM json_each($2) WHERE true
			ON CONFLICT (organization_id, user_id) DO UPDATE SET cause = excluded.cause`,
	}
	// Whoever puts users on the backlog has locked them before. So a worker must not hold
	// an entry and wait for its user: it passes over those whose users are locked. An
	// entry whose user is gone is taken, too.
	takeStale = text{
		postgres: `WITH chosen AS MATERIALIZED (SELECT user_id FROM stale_users WHERE organization_id = $1 ORDER BY user_id LIMIT $2 FOR UPDATE SKIP LOCKED),
				locked AS MATERIALIZED (SELECT u.id FROM chosen AS c JOIN users AS u ON u.organization_id = $1 AND u.id = c.user_id
					ORDER BY u.id FOR NO KEY UPDATE OF u SKIP LOCKED)
			DELETE FROM stale_users AS s USING chosen AS c WHERE s.organization_id = $1 AND s.user_id = c.user_id
				AND (EXISTS (SELECT 1 FROM locked AS l WHERE l.id = s.user_id)
					OR NOT EXISTS (SELECT 1 FROM users AS u WHERE u.organization_id = $1 AND u.id = s.user_id))
			RETURNING s.user_id, s.cause`,
		sqlite: `DELETE FROM stale_users WHERE organization_id = $1 AND user_id IN
				(SELECT user_id FROM stale_users WHERE organization_id = $1 ORDER BY user_id LIMIT $2)
			RETURNING user_id, cause`,
	}
)

// identified is who a subject, $3, of the connection $2 is.
const identified = `(SELECT user_id FROM saml_identities WHERE organization_id = $1 AND connection_id = $2 AND subject = $3)`

// selectCandidate selects users with the kind of their connection.
const selectCandidate = `SELECT (SELECT c.kind FROM connections AS c WHERE c.organization_id = users.organization_id AND c.id = users.connection_id), ` + userColumns + ` FROM users`

// selectCandidates selects the users who may be a subject: by externalId, $2, if SCIM
// states them, by userName, $3 or $4, and by e-mail address, $4; the last two are folded.
// Of those who share a name, two are enough to know that several do.
const selectCandidates = selectCandidate + ` WHERE organization_id = $1 AND id IN (
	SELECT id FROM (SELECT u.id FROM connections AS c CROSS JOIN users AS u WHERE c.organization_id = $1 AND c.kind = 'scim'
		AND u.organization_id = $1 AND u.connection_id = c.id AND u.external_id = $2 AND u.external_id <> '' LIMIT 2) AS x
	UNION ALL SELECT id FROM users WHERE organization_id = $1 AND user_name_folded IN ($3, $4) AND user_name_folded <> ''
	UNION ALL SELECT id FROM (SELECT id FROM users WHERE organization_id = $1 AND email_folded = $4
		AND email_folded <> '' AND email_folded <> user_name_folded LIMIT 2) AS e) ORDER BY id`

const (
	insertStated = `INSERT INTO groups (organization_id, id, connection_id, kind, external_id, display_name, display_name_folded, resource, created_at, modified_at, revision)
		SELECT $1, v.id, $2, 'saml', '', v.name, v.folded, '{}', $3, $3, 1 `
	notStatedYet = ` WHERE NOT EXISTS (SELECT 1 FROM groups AS g WHERE g.organization_id = $1 AND g.connection_id = $2 AND g.display_name_folded = v.folded)
		ORDER BY v.folded ON CONFLICT DO NOTHING`
	insertMembership = `INSERT INTO memberships (organization_id, group_id, user_id)
		SELECT organization_id, id, $3 FROM groups WHERE organization_id = $1 AND connection_id = $2 AND display_name_folded `
)

// below precedes a statement by the groups of a list, $2, and those nested in them, at
// most $3 steps down.
func below(statement string) text {
	const start = `WITH RECURSIVE below (group_id, depth) AS (SELECT id, 0 FROM groups WHERE organization_id = $1 AND id `
	rest := ` UNION SELECT n.member_id, b.depth + 1 FROM below AS b CROSS JOIN nested_groups AS n
		WHERE n.organization_id = $1 AND n.group_id = b.group_id AND b.depth < $3) ` + statement
	return text{postgres: start + `= ANY($2)` + rest, sqlite: start + `IN (SELECT value FROM json_each($2))` + rest}
}

// sqliteIndexes tells the index from the columns that SQLite names.
var sqliteIndexes = map[string]string{
	"users.user_name_folded":     "users_user_name",
	"groups.display_name_folded": "groups_display_name",
}

// sqliteArgs turns lists into the JSON arrays that json_each reads.
func sqliteArgs(args []any) []any {
	converted := make([]any, len(args))
	for i, arg := range args {
		switch list := arg.(type) {
		case []string:
			converted[i] = jsonText(list)
		case []int64:
			converted[i] = jsonText(list)
		default:
			converted[i] = arg
		}
	}
	return converted
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // lists of strings and numbers always marshal
	}
	return string(b)
}

// patience lets a transaction wait, and be idle, without a limit.
var patience = text{postgres: `SELECT set_config(name, '0', true)
	FROM unnest(ARRAY['lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout']) AS name`}

// lockMigration is held while the schema is brought up to date.
var lockMigration = text{postgres: `SELECT pg_advisory_xact_lock(2, 0)`}

// lockSweep reads the cursor; another worker's transaction on it is waited for.
var lockSweep = text{
	postgres: `SELECT sweep_cursor FROM organizations WHERE id = $1 AND sweep_cursor IS NOT NULL FOR NO KEY UPDATE`,
	sqlite:   `SELECT sweep_cursor FROM organizations WHERE id = $1 AND sweep_cursor IS NOT NULL`,
}
