package store_test

import (
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
)

func testClients(t *testing.T, d *database) {
	ctx := t.Context()
	n, foreign := d.tenant(t), d.tenant(t)
	now := directory.Now()
	newClient := func(expires time.Time) credential.Stored {
		_, stored := credential.New(credential.ClientSecret, now, expires)
		stored.ID = directory.NewClientID()
		n.change(t, func(tx *store.Tx) { tx.CreateClient(stored) })
		return stored
	}
	give := func(client credential.Stored, at time.Time, most int) credential.Stored {
		_, token := credential.New(credential.AccessToken, at, at.Add(time.Hour))
		n.change(t, func(tx *store.Tx) { tx.CreateAccessToken(client.ID, token, most) })
		return token
	}
	clients := func() []store.Client {
		t.Helper()
		return must[store.Connection](t)(d.Connection(ctx, n.Connection)).Clients
	}
	_, static := credential.New(credential.SCIMToken, now, time.Time{})
	n.change(t, func(tx *store.Tx) { tx.CreateToken(static) })
	first, second, third := newClient(now.Add(time.Hour)), newClient(time.Time{}), newClient(time.Time{})
	equal(t, "clients, oldest first", clients(), []store.Client{{Stored: first}, {Stored: second}, {Stored: third}})

	one, two, three := give(second, now, 20), give(second, now, 20), give(third, now, 20)
	second.LastUsedAt, third.LastUsedAt = now, now
	want := []store.Client{{Stored: first}, {second, []credential.Stored{one, two}}, {third, []credential.Stored{three}}}
	equal(t, "clients with their tokens", clients(), want)
	list := must[[]store.Connection](t)(d.Connections(ctx, n.Organization))
	equal(t, "Connections with their clients", list[0].Clients, want)
	equal(t, "tokens beside", list[0].Tokens, []credential.Stored{static})

	later := now.Add(30 * time.Minute)
	four := give(second, later, 2)
	second.LastUsedAt = later
	equal(t, "the newest two tokens", clients()[1], store.Client{Stored: second, Tokens: []credential.Stored{two, four}})
	later = now.Add(time.Hour)
	five := give(second, later, 20)
	second.LastUsedAt = later
	equal(t, "tokens without the expired", clients()[1], store.Client{Stored: second, Tokens: []credential.Stored{four, five}})

	n.change(t, func(tx *store.Tx) { tx.KeepTokens(0) })
	n.change(t, func(tx *store.Tx) { tx.KeepClients(2) })
	equal(t, "clients after KeepClients(2)", len(clients()), 2)
	wantFault(t, n.try(ctx, func(tx *store.Tx) error { tx.DeleteToken(five.ID); return nil }), fault.NotFound)
	n.change(t, func(tx *store.Tx) { tx.DeleteClient(second.ID) })
	left := []store.Client{{third, []credential.Stored{three}}}
	equal(t, "clients after DeleteClient", clients(), left)

	var rows int // what is left out when it is read must not be left behind, either
	err := d.raw(t).QueryRowContext(ctx, `SELECT count(*) FROM tokens WHERE organization_id = $1`, string(n.Organization)).Scan(&rows)
	if err != nil || rows != 1 {
		t.Errorf("%d tokens are stored, %v, want that of the client that is left", rows, err)
	}

	for situation, change := range map[string]func(*store.Tx){
		"a token of a client that is gone": func(tx *store.Tx) { tx.CreateAccessToken(second.ID, five, 20) },
		"a client that is gone":            func(tx *store.Tx) { tx.DeleteClient(second.ID) },
	} {
		if err := n.try(ctx, func(tx *store.Tx) error { change(tx); return nil }); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v, want NotFound", situation, err)
		}
	}
	wantFault(t, foreign.try(ctx, func(tx *store.Tx) error { tx.DeleteClient(third.ID); return nil }), fault.NotFound)
	wantFault(t, foreign.try(ctx, func(tx *store.Tx) error { tx.CreateAccessToken(third.ID, five, 20); return nil }), fault.NotFound)
	stolen := tenant{d, store.Scope{Organization: foreign.Organization, Connection: n.Connection}}
	wantFault(t, stolen.try(ctx, func(tx *store.Tx) error { tx.CreateClient(first); return nil }), fault.NotFound)
	foreign.change(t, func(tx *store.Tx) { tx.KeepClients(0) })
	equal(t, "clients after strangers tried", clients(), left)

	n.change(t, func(tx *store.Tx) { tx.CreateToken(static) })
	check := func(want time.Time) {
		t.Helper()
		tokens := must[store.Connection](t)(d.Connection(ctx, n.Connection)).Tokens
		equal(t, "last use", tokens[0].LastUsedAt, want)
	}
	for _, at := range []time.Time{now, now.Add(-time.Hour)} { // the earlier one is known to be old
		if err := d.TokenUsed(ctx, n.Scope, static.ID, at); err != nil {
			t.Fatal(err)
		}
		check(now)
	}
}
