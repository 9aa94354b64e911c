package store_test

import (
	"database/sql"
	"maps"
	"slices"
	"strings"
	"testing"
)

// table is what the catalog of a database says of a table.
type table struct {
	Columns []string // sorted: name, "null" if it may be
	Key     []string // the primary key, in order
}

// schema reads the tables from the database's own catalog, without the one of the
// migration tool.
func schema(t *testing.T, d *database) map[string]table {
	t.Helper()
	db := d.raw(t)
	query := `SELECT m.name, c.name, c."notnull" = 0 AND c.pk = 0, c.pk FROM sqlite_schema AS m, pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND m.name NOT LIKE 'goose%' AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.pk`
	if d.postgres() {
		query = `SELECT c.relname, a.attname, NOT a.attnotnull, COALESCE(array_position(i.indkey::int2[], a.attnum), -1) + 1
			FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
			WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'goose%' ORDER BY 1, 4`
	}
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }() // Err says what matters
	tables := map[string]table{}
	for rows.Next() {
		var name, column string
		var null bool
		var key int
		if err := rows.Scan(&name, &column, &null, &key); err != nil {
			t.Fatal(err)
		}
		found := tables[name]
		if key > 0 {
			found.Key = append(found.Key, column)
		}
		if null {
			column += " null"
		}
		found.Columns = append(found.Columns, column)
		slices.Sort(found.Columns)
		tables[name] = found
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return tables
}

// So that tables can be distributed by organization without a redesign.
func TestEveryPrimaryKeyBeginsWithTheOrganization(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *database) {
		whole := []string{"admin_keys", "application_secrets", "applications", "deployment", "organizations"} // of no organization, or it itself
		tables := schema(t, d)
		if len(tables) < 14 {
			t.Fatalf("the catalog has only %v", slices.Sorted(maps.Keys(tables)))
		}
		for name, found := range tables {
			if len(found.Key) == 0 {
				t.Errorf("table %s has no primary key", name)
			} else if found.Key[0] != "organization_id" && !slices.Contains(whole, name) {
				t.Errorf("the primary key of %s is (%s), want organization_id first", name, strings.Join(found.Key, ", "))
			}
		}
	})
}

func TestBothDatabasesHaveTheSameSchema(t *testing.T) {
	schemas := make(chan map[string]table, 2)
	t.Run("read", func(t *testing.T) {
		eachDatabase(t, func(t *testing.T, d *database) { schemas <- schema(t, d) })
	})
	if len(schemas) < 2 {
		t.Skip("there is only one database")
	}
	equal(t, "schema", <-schemas, <-schemas)
}

// STRICT tables refuse a value of the wrong type, as PostgreSQL does.
func TestSQLiteTablesAreStrict(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *database) {
		if d.postgres() {
			t.Skip("it always is")
		}
		var loose sql.NullString
		err := d.raw(t).QueryRowContext(t.Context(),
			`SELECT group_concat(name) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%'`).Scan(&loose)
		if err != nil || loose.Valid {
			t.Errorf("tables that are not STRICT: %s, %v", loose.String, err)
		}
	})
}
