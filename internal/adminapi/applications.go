package adminapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rolesync/rolesync/internal/admin"
)

// Application is what people sign in to, as the API shows it.
type Application struct {
	ID           string    `json:"client_id" doc:"cli_…, the client_id of OAuth 2.0."`
	Name         string    `json:"name" doc:"For people."`
	RedirectURIs []string  `json:"redirect_uris" nullable:"false" doc:"Where people are sent back to; compared exactly."`
	CreatedAt    time.Time `json:"created_at" doc:"When it was created."`
	Secrets      []Secret  `json:"secrets" nullable:"false" doc:"What is known of its secrets, oldest first."`
}

// Secret is what is known of a secret of an application, which is not the secret itself.
type Secret struct {
	ID        string    `json:"id" doc:"key_…"`
	LastFour  string    `json:"last_four" doc:"The end of the secret, to tell it from others."`
	CreatedAt time.Time `json:"created_at" doc:"When it was made."`
	ExpiresAt time.Time `json:"expires_at,omitzero" doc:"When it ends; absent: never."`
}

func secretOf(s admin.Token) Secret { return Secret{s.ID, s.LastFour, s.CreatedAt, s.ExpiresAt} }

func applicationOf(a admin.Application) Application {
	shown := Application{a.ID, a.Name, notNil(a.RedirectURIs), a.CreatedAt, make([]Secret, len(a.Secrets))}
	for i, s := range a.Secrets {
		shown.Secrets[i] = secretOf(s)
	}
	return shown
}

// CreatedApplication is a new application with its secret.
type CreatedApplication struct {
	Application
	Secret string `json:"client_secret" doc:"Its secret, rs_app_…: shown here and never again."`
}

// CreatedSecret is a new secret.
type CreatedSecret struct {
	Secret
	Value string `json:"client_secret" doc:"The secret, rs_app_…: shown here and never again."`
}

// OfApplication is the path of what belongs to an application.
type OfApplication struct {
	Application string `path:"application" doc:"The client id of an application, cli_…"`
}

func (h *Handler) applications(api huma.API) {
	const all, one = "/applications", "/applications/{application}"
	absent := []int{http.StatusNotFound}

	type createInput struct {
		Body struct {
			Name            string    `json:"name" doc:"For people; 1 to 200 characters." example:"Billing"`
			RedirectURIs    []string  `json:"redirect_uris" nullable:"false" doc:"Where people are sent back to, 1 to 20: https, or http on localhost, 127.0.0.1 or [::1]; without a fragment." example:"[\"https://app.example.com/callback\"]"`
			SecretExpiresAt time.Time `json:"secret_expires_at,omitzero" doc:"When its first secret ends; without it, never."`
		} `nameHint:"NewApplication"`
	}
	register(h, api, operation{
		method: http.MethodPost, path: all, id: "create-application", tag: "applications", status: http.StatusCreated,
		summary:     "Register an application",
		description: "People of every organization sign in to it. The answer holds the secret that it needs at POST /sso/token. It is shown only here.",
	}, func(ctx context.Context, by admin.Actor, in *createInput) (*created[CreatedApplication], error) {
		a, secret, err := h.Admin.CreateApplication(ctx, by, in.Body.Name, in.Body.RedirectURIs, in.Body.SecretExpiresAt)
		return &created[CreatedApplication]{Base + "/applications/" + a.ID, CreatedApplication{applicationOf(a), secret}}, err
	})

	register(h, api, operation{
		method: http.MethodGet, path: all, id: "list-applications", tag: "applications",
		summary: "List the applications", description: "Oldest first, all at once.",
	}, func(ctx context.Context, by admin.Actor, _ *nothing) (*answer[list[Application]], error) {
		applications, err := h.Admin.Applications(ctx, by)
		return listOf(admin.List[admin.Application]{Items: applications}, applicationOf), err
	})

	register(h, api, operation{
		method: http.MethodGet, path: one, id: "get-application", tag: "applications", problems: absent,
		summary: "Get an application",
	}, func(ctx context.Context, by admin.Actor, in *OfApplication) (*answer[Application], error) {
		a, err := h.Admin.Application(ctx, by, in.Application)
		return reply(applicationOf(a)), err
	})

	type changeInput struct {
		OfApplication
		Body struct {
			Name         *string   `json:"name,omitempty" nullable:"false" doc:"For people; 1 to 200 characters."`
			RedirectURIs *[]string `json:"redirect_uris,omitempty" nullable:"false" doc:"Where people are sent back to; they replace those before."`
		} `nameHint:"ApplicationChange"`
	}
	register(h, api, operation{
		method: http.MethodPatch, path: one, id: "change-application", tag: "applications", problems: absent,
		summary: "Change an application", description: "What the body leaves out stays as it is.",
	}, func(ctx context.Context, by admin.Actor, in *changeInput) (*answer[Application], error) {
		a, err := h.Admin.ChangeApplication(ctx, by, in.Application, admin.ApplicationChange(in.Body))
		return reply(applicationOf(a)), err
	})

	register(h, api, operation{
		method: http.MethodDelete, path: one, id: "delete-application", tag: "applications", problems: append(absent, http.StatusConflict),
		summary: "End an application", description: "At once, and with it its secrets. Refused (409) while logins that begin at a provider lead to it.",
	}, func(ctx context.Context, by admin.Actor, in *OfApplication) (*nothing, error) {
		return nil, h.Admin.DeleteApplication(ctx, by, in.Application)
	})

	type secretInput struct {
		OfApplication
		Body *struct {
			ExpiresAt time.Time `json:"expires_at,omitzero" doc:"When the secret ends; without it, never."`
		} `nameHint:"NewSecret"`
	}
	register(h, api, operation{
		method: http.MethodPost, path: one + "/secrets", id: "create-application-secret", tag: "applications", status: http.StatusCreated, problems: absent,
		summary:     "Make a new secret of an application",
		description: "The newest two secrets stay valid, so that the new one can be rolled out while the old one still works; older ones end at once. The secret is shown only here.",
	}, func(ctx context.Context, by admin.Actor, in *secretInput) (*answer[CreatedSecret], error) {
		var expires time.Time
		if in.Body != nil {
			expires = in.Body.ExpiresAt
		}
		stored, secret, err := h.Admin.CreateApplicationSecret(ctx, by, in.Application, expires)
		return reply(CreatedSecret{secretOf(stored), secret}), err
	})

	type deleteSecretInput struct {
		OfApplication
		Secret string `path:"secret" doc:"The id of a secret, key_…"`
	}
	register(h, api, operation{
		method: http.MethodDelete, path: one + "/secrets/{secret}", id: "delete-application-secret", tag: "applications", problems: absent,
		summary: "End a secret of an application", description: "At once, also the last one.",
	}, func(ctx context.Context, by admin.Actor, in *deleteSecretInput) (*nothing, error) {
		return nil, h.Admin.DeleteApplicationSecret(ctx, by, in.Application, in.Secret)
	})
}
