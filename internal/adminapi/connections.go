package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
)

// Connection is an identity-provider integration, as the API shows it.
type Connection struct {
	ID           directory.ConnectionID   `json:"id" doc:"conn_…"`
	Organization directory.OrganizationID `json:"organization" doc:"The organization it belongs to."`
	Kind         directory.Kind           `json:"kind" enum:"scim,saml" doc:"Its protocol."`
	Name         string                   `json:"name" doc:"For people."`
	Disabled     bool                     `json:"disabled" doc:"Frozen: what the identity provider sends is refused, roles stay as they are."`
	Strict       bool                     `json:"strict" doc:"Whether its requests are held to the letter of SCIM; else providers are understood with good will."`
	RateLimit    int                      `json:"rate_limit" doc:"Requests a second, sustained; 0: what the deployment has."`
	RateBurst    int                      `json:"rate_burst" doc:"Requests at once, after a pause; 0: what the deployment has."`
	CreatedAt    time.Time                `json:"created_at" doc:"When it was created."`
	SCIMURL      string                   `json:"scim_url,omitempty" doc:"What the identity provider is given as base URL, of a SCIM connection."`
	Tokens       []Token                  `json:"tokens" nullable:"false" doc:"What is known of its tokens, oldest first."`
	SAML         *SAML                    `json:"saml,omitempty" doc:"What only a SAML connection has."`
}

func (h *Handler) connection(c admin.Connection) Connection {
	shown := Connection{
		ID: c.ID, Organization: c.Organization, Kind: c.Kind, Name: c.Name, Disabled: c.Disabled, Strict: c.Strict,
		RateLimit: c.RateLimit, RateBurst: c.RateBurst, CreatedAt: c.CreatedAt, Tokens: tokensOf(c.Tokens), SAML: h.samlOf(c),
	}
	if c.Kind == directory.SCIM {
		shown.SCIMURL = h.SCIMURL(c.ID)
	}
	return shown
}

// CreatedConnection is a new connection with its token, if it is one of SCIM.
type CreatedConnection struct {
	Connection
	Token string `json:"token,omitempty" doc:"Its bearer token, rs_scim_…, of a SCIM connection: shown here and never again."`
}

func (h *Handler) connections(api huma.API) {
	const all, one = "/organizations/{organization}/connections", "/organizations/{organization}/connections/{connection}"
	absent := []int{http.StatusNotFound}

	type createInput struct {
		InOrganization
		Body struct {
			Name           string         `json:"name" doc:"For people; 1 to 200 characters." example:"Okta"`
			Kind           directory.Kind `json:"kind,omitempty" default:"scim" doc:"Its protocol: scim or saml."`
			Strict         bool           `json:"strict,omitempty" doc:"Hold its requests to the letter of SCIM."`
			RateLimit      int            `json:"rate_limit,omitempty" minimum:"0" maximum:"10000" doc:"Requests a second, sustained; 0: what the deployment has."`
			RateBurst      int            `json:"rate_burst,omitempty" minimum:"0" maximum:"100000" doc:"Requests at once, after a pause; 0: what the deployment has."`
			TokenExpiresAt time.Time      `json:"token_expires_at,omitzero" doc:"When the first token of a SCIM connection ends; without it, never."`
			SAML           *SAMLChange    `json:"saml,omitempty" nullable:"false" doc:"What a SAML connection begins with. Without a provider, logins are refused until there is one: it may need our addresses first."`
		} `nameHint:"NewConnection"`
	}
	register(h, api, operation{
		method: http.MethodPost, path: all, id: "create-connection", tag: "connections", status: http.StatusCreated, problems: append(absent, http.StatusConflict), maxBody: maxMetadata,
		summary:     "Create a connection",
		description: "Of a SCIM connection, the answer holds the token that the identity provider needs; it is shown only here. Of a SAML connection, it holds the addresses that the provider needs.",
	}, func(ctx context.Context, by admin.Actor, in *createInput) (*created[CreatedConnection], error) {
		n := admin.NewConnection{
			Name: in.Body.Name, Kind: in.Body.Kind, Strict: in.Body.Strict,
			RateLimit: in.Body.RateLimit, RateBurst: in.Body.RateBurst, TokenExpiresAt: in.Body.TokenExpiresAt,
		}
		if in.Body.SAML != nil {
			if n.Kind != directory.SAML {
				return nil, fault.New(fault.Invalid, "saml is given beside kind %q; the kind of such a connection is %q", n.Kind, directory.SAML)
			}
			n.SAML = in.Body.SAML.change()
		}
		c, token, err := h.Admin.CreateConnection(ctx, by, in.Organization, n)
		location := Base + "/organizations/" + string(c.Organization) + "/connections/" + string(c.ID)
		return &created[CreatedConnection]{location, CreatedConnection{h.connection(c), token}}, err
	})

	register(h, api, operation{
		method: http.MethodGet, path: all, id: "list-connections", tag: "connections", problems: absent,
		summary: "List the connections of an organization", description: "Oldest first, all at once.",
	}, func(ctx context.Context, by admin.Actor, in *InOrganization) (*answer[list[Connection]], error) {
		connections, err := h.Admin.Connections(ctx, by, in.Organization)
		return listOf(admin.List[admin.Connection]{Items: connections}, h.connection), err
	})

	for _, op := range []struct {
		operation
		serve func(context.Context, admin.Actor, directory.OrganizationID, directory.ConnectionID) (admin.Connection, error)
	}{
		{operation{
			method: http.MethodGet, path: one, id: "get-connection", summary: "Get a connection",
		}, h.Admin.Connection},
		{operation{
			method: http.MethodPost, path: one + "/disable", id: "disable-connection", summary: "Disable a connection",
			description: "It is frozen: what its identity provider sends is refused, the roles that came from it stay. Doing so again changes nothing.",
		}, h.Admin.DisableConnection},
		{operation{
			method: http.MethodPost, path: one + "/enable", id: "enable-connection", summary: "Enable a connection",
			description: "It ends what disable began. Doing so again changes nothing.",
		}, h.Admin.EnableConnection},
	} {
		op.tag, op.problems = "connections", absent
		register(h, api, op.operation, func(ctx context.Context, by admin.Actor, in *InConnection) (*answer[Connection], error) {
			c, err := op.serve(ctx, by, in.Organization, in.Connection)
			return reply(h.connection(c)), err
		})
	}

	type changeInput struct {
		InConnection
		Body struct {
			Name      *string `json:"name,omitempty" nullable:"false" doc:"For people; 1 to 200 characters." example:"Okta"`
			Strict    *bool   `json:"strict,omitempty" nullable:"false" doc:"Hold its requests to the letter of SCIM."`
			RateLimit *int    `json:"rate_limit,omitempty" nullable:"false" minimum:"0" maximum:"10000" doc:"Requests a second, sustained; 0: what the deployment has."`
			RateBurst *int    `json:"rate_burst,omitempty" nullable:"false" minimum:"0" maximum:"100000" doc:"Requests at once, after a pause; 0: what the deployment has."`
		} `nameHint:"ConnectionChange"`
	}
	register(h, api, operation{
		method: http.MethodPatch, path: one, id: "change-connection", tag: "connections", problems: absent,
		summary: "Change a connection", description: "What the body leaves out stays as it is. It holds from the next request of the identity provider on.",
	}, func(ctx context.Context, by admin.Actor, in *changeInput) (*answer[Connection], error) {
		c, err := h.Admin.ChangeConnection(ctx, by, in.Organization, in.Connection, admin.ConnectionChange(in.Body))
		return reply(h.connection(c)), err
	})

	type pendingInput struct {
		InConnection
		Paging
	}
	register(h, api, operation{
		method: http.MethodGet, path: one + "/pending", id: "list-pending-members", tag: "connections", problems: absent,
		summary:     "List the pending members of a connection",
		description: "Members that the identity provider has put into groups without having created them. Each becomes a member when a user of that id, externalId or userName appears.",
	}, func(ctx context.Context, by admin.Actor, in *pendingInput) (*answer[list[PendingMember]], error) {
		waiting, err := h.Admin.Pending(ctx, by, in.Organization, in.Connection, in.page())
		return listOf(waiting, func(w admin.WaitingMember) PendingMember {
			return PendingMember{w.Group, w.GroupName, w.Value, w.Since}
		}), err
	})
}

// PendingMember is a member of a group that is no user yet.
type PendingMember struct {
	Group     directory.GroupID `json:"group" doc:"The group that waits for it."`
	GroupName string            `json:"group_name" doc:"The group's display name."`
	Value     string            `json:"value" doc:"What the identity provider calls it."`
	Since     time.Time         `json:"since" doc:"When it was named first."`
}
