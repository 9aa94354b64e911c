package admin

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/saml/metadata"
)

// Keeper keeps SAML connections going while nobody looks: it reads the metadata of
// identity providers again, and warns before their certificates end. Any number of
// processes may run one: what is due is taken by one of them, and each warning is given
// once.
type Keeper struct {
	Admin *Service
	Log   *slog.Logger
}

const (
	keeperPause = time.Minute
	warnPause   = 24 * time.Hour
	// What was taken and not done, since the process died, is due again after this: longer
	// than reading takes.
	refreshLease = 5 * time.Minute
	atOnce       = 4 // metadata documents that are read at the same time
)

// Run works until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(keeperPause)
	defer tick.Stop()
	var warned time.Time
	for {
		if err := k.RefreshDue(ctx); err != nil && ctx.Err() == nil {
			k.Log.Warn("metadata of identity providers was not read", "error", err)
		}
		if now := k.Admin.now(); now.Sub(warned) >= warnPause {
			if err := k.WarnOfExpiry(ctx); err == nil {
				warned = now
			} else if ctx.Err() == nil {
				k.Log.Warn("certificates of identity providers were not looked at", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// RefreshDue reads all metadata that is due. That one cannot be read is no error: it is
// noted, and tried again later.
func (k *Keeper) RefreshDue(ctx context.Context) error {
	for ctx.Err() == nil {
		now := k.Admin.now()
		due, err := k.Admin.Store.DueMetadata(ctx, now, now.Add(refreshLease), atOnce)
		if err != nil || len(due) == 0 {
			return err
		}
		var wait sync.WaitGroup
		for _, scope := range due {
			wait.Go(func() { k.refresh(ctx, scope) })
		}
		wait.Wait()
	}
	return ctx.Err()
}

func (k *Keeper) refresh(ctx context.Context, scope store.Scope) {
	log := k.Log.With("org", scope.Organization, "connection", scope.Connection)
	by := keeper()
	c, err := k.Admin.Store.Connection(ctx, scope.Connection)
	if err == nil && (c.SAML == nil || c.SAML.MetadataURL == "") {
		return // it was changed meanwhile
	}
	var changes []string
	if err == nil {
		changes, err = k.Admin.refresh(ctx, by, c)
	}
	switch {
	case err == nil && len(changes) > 0:
		log.Info("metadata of the identity provider has changed", "changes", changes, "request", by.Request)
	case fault.Is(err, fault.Invalid):
		_, reason := fault.Public(err)
		log.Warn("metadata of the identity provider cannot be read", "reason", reason, "request", by.Request)
	case err != nil && ctx.Err() == nil:
		log.Error("metadata of the identity provider was not read", "error", err, "request", by.Request)
	}
}

func keeper() Actor { return Actor{Name: "rolesync", Request: directory.NewRequestID()} }

// warnedAtOnce bounds what is read at once.
const warnedAtOnce = 100

// WarnOfExpiry warns, in the log and in the audit, of connections whose provider will
// have no valid certificate in 60, 30, 7 or 1 days, or has none: once each.
func (k *Keeper) WarnOfExpiry(ctx context.Context) error {
	for after := (store.Scope{}); ; {
		list, err := k.Admin.Store.SAMLWarnings(ctx, after, warnedAtOnce)
		if err != nil {
			return err
		}
		for _, w := range list {
			if err := k.warn(ctx, w); err != nil {
				return err
			}
		}
		if len(list) < warnedAtOnce {
			return nil
		}
		after = list[len(list)-1].Scope
	}
}

func (k *Keeper) warn(ctx context.Context, w store.SAMLWarning) error {
	now := k.Admin.now()
	reached := 0
	end := metadata.Expiry(w.Settings.Provider.Certificates)
	if !end.IsZero() {
		reached = threshold(end.Sub(now))
	}
	if reached == w.Days {
		return nil
	}
	by, noted := keeper(), false
	err := k.Admin.Store.Transact(ctx, w.Scope, store.Facts, func(tx *store.Tx) error {
		first := tx.WarnSAML(w.Days, reached)
		if err := tx.Flush(); err != nil {
			return err
		}
		if noted = first.Get() && reached != 0; !noted {
			return nil // another process has, or there is a new certificate
		}
		return record(tx, by, now, "saml.certificate_expires", string(w.Connection), map[string]any{
			"not_after": end, "days_left": daysLeft(end, now), "certificates": fingerprints(w.Settings.Provider.Certificates),
		})
	})
	if err == nil && noted {
		k.Log.Warn("the certificate of an identity provider ends", "org", w.Organization, "connection", w.Connection,
			"not_after", end, "days_left", daysLeft(end, now), "request", by.Request)
	}
	return err
}
