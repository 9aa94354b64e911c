package adminapi

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
)

// AuditEntry says who did what, because of which request.
type AuditEntry struct {
	ID      string          `json:"id" doc:"chg_…; sorts by time."`
	At      time.Time       `json:"at" doc:"When."`
	Actor   string          `json:"actor" doc:"Who: \"connection conn_…\", \"admin key key_…\", or rolesync itself."`
	Action  string          `json:"action" doc:"What: user.created, assignment.changed, rules.published, …"`
	Target  string          `json:"target" doc:"The id of what it happened to."`
	Request string          `json:"request" doc:"The id of the request, or the versions of rules and roles, that led to it."`
	Detail  json.RawMessage `json:"detail" doc:"An object with what changed; its fields depend on the action."`
}

func auditEntryOf(e admin.AuditEntry) AuditEntry {
	return AuditEntry{e.ID, e.At, e.Actor, e.Action, e.Target, e.Request, e.Detail}
}

func (h *Handler) audit(api huma.API) {
	type organizationInput struct {
		InOrganization
		Target string `query:"target" doc:"Only what happened to the thing of this id: usr_…, grp_…, conn_…, org_…"`
		Paging
	}
	register(h, api, operation{
		method: http.MethodGet, path: "/organizations/{organization}/audit", id: "list-audit", tag: "audit", problems: []int{http.StatusNotFound},
		summary: "List what happened in an organization", description: "Newest first.",
	}, func(ctx context.Context, by admin.Actor, in *organizationInput) (*answer[list[AuditEntry]], error) {
		entries, err := h.Admin.Audit(ctx, by, in.Organization, in.Target, in.page())
		return listOf(entries, auditEntryOf), err
	})

	type deploymentInput struct {
		Target string `query:"target" doc:"Only what happened to this role or admin key: billing, key_…"`
		Paging
	}
	register(h, api, operation{
		method: http.MethodGet, path: "/audit", id: "list-deployment-audit", tag: "audit",
		summary: "List what happened to roles and admin keys", description: "Which all organizations share. Newest first.",
	}, func(ctx context.Context, by admin.Actor, in *deploymentInput) (*answer[list[AuditEntry]], error) {
		entries, err := h.Admin.DeploymentAudit(ctx, by, in.Target, in.page())
		return listOf(entries, auditEntryOf), err
	})
}
