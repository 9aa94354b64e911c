package admin

import (
	"context"

	"github.com/rolesync/rolesync/internal/directory"
)

// Audit lists what happened in an organization, newest first; with a target, only what
// happened to it ("usr_…", "grp_…", "conn_…", "org_…").
func (s *Service) Audit(ctx context.Context, by Actor, organization directory.OrganizationID, target string, page Page) (List[AuditEntry], error) {
	if err := s.known(ctx, organization); err != nil {
		return List[AuditEntry]{}, err
	}
	return s.audit(ctx, organization, target, page)
}

// DeploymentAudit lists what happened to what all organizations share, roles and admin
// keys, newest first; with a target ("admin", "key_…"), only what happened to it.
func (s *Service) DeploymentAudit(ctx context.Context, _ Actor, target string, page Page) (List[AuditEntry], error) {
	return s.audit(ctx, deployment, target, page)
}

func (s *Service) audit(ctx context.Context, organization directory.OrganizationID, target string, page Page) (List[AuditEntry], error) {
	if !storable(page.After) {
		return List[AuditEntry]{}, badCursor(page.After)
	}
	if !storable(target) {
		return List[AuditEntry]{Items: []AuditEntry{}}, nil
	}
	entries, err := s.Store.AuditEntries(ctx, organization, target, page.After, page.limit()+1)
	return cut(entries, page.limit(), func(e AuditEntry) string { return e.ID }), err
}
