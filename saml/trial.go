package saml

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/mapping"
	"github.com/rolesync/rolesync/saml/verifier"
)

// A trial is a test login: an admin signs in at the provider and is shown what the answer
// says, each check, and the roles that it would give. It works for a connection that has
// no application or is disabled, and above all for an answer that is refused. Nothing is
// written but its own result.

// TrialResult is what came of a trial, as the admin API shows it.
type TrialResult struct {
	At        time.Time            `json:"at"`
	Accepted  bool                 `json:"accepted"`          // a login would have been let in
	Refusal   *TrialRefusal        `json:"refusal,omitempty"` // why not
	Checks    []TrialCheck         `json:"checks"`            // in the order in which they are made
	Assertion *TrialAssertion      `json:"assertion,omitempty"`
	Person    *TrialPerson         `json:"person,omitempty"`   // whom the assertion names
	Groups    *TrialGroups         `json:"groups,omitempty"`   // what it states about groups
	Notes     []string             `json:"notes,omitempty"`    // values that were passed over
	Unmapped  []string             `json:"unmapped,omitempty"` // attributes that mean nothing here
	Roles     *mapping.Explanation `json:"roles,omitempty"`    // what the person would have, and why
	Message   string               `json:"message,omitempty"`  // decrypted and indented
}

// TrialRefusal is why a login would be refused.
type TrialRefusal struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// TrialCheck is one check and how it went.
type TrialCheck struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	// Skipped says that it was not made, because an earlier one failed.
	Skipped bool   `json:"skipped,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// TrialAssertion is what the assertion says, as it says it.
type TrialAssertion struct {
	ID           string           `json:"id"`
	Issuer       string           `json:"issuer"`
	NameID       string           `json:"name_id"`
	NameIDFormat string           `json:"name_id_format"`
	AuthnContext string           `json:"authn_context,omitempty"`
	Encrypted    bool             `json:"encrypted"`
	SignedBy     string           `json:"signed_by,omitempty"` // SHA-256 of the certificate
	Attributes   []TrialAttribute `json:"attributes"`
}

// TrialAttribute is an attribute of the assertion.
type TrialAttribute struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// TrialPerson is whom the assertion names, and which user that would be.
type TrialPerson struct {
	Subject     string           `json:"subject"`
	UserName    string           `json:"user_name"`
	Email       string           `json:"email,omitempty"`
	DisplayName string           `json:"display_name,omitempty"`
	ExternalID  string           `json:"external_id,omitempty"`
	User        directory.UserID `json:"user,omitempty"`
	Created     bool             `json:"created"` // the user would be made
	Linked      bool             `json:"linked"`  // a user who is there already would be linked
}

// TrialGroups is the group fact.
type TrialGroups struct {
	Fact   directory.GroupFact `json:"fact"`
	Values []string            `json:"values"`
}

// maxShown bounds the message in a result, in bytes.
const maxShown = 256 << 10

// beginTrial serves GET /saml/{connection}/test/{trial}?secret=…, the address of the trial.
func (h *Handler) beginTrial(c *call) error {
	if err := c.find(); err != nil {
		return err
	}
	trial, err := h.trial(c.Context(), c.party, mux.Vars(c.Request)["trial"], c.URL.Query().Get("secret"))
	if err != nil {
		return err
	}
	return h.send(c, request{Trial: trial.ID}, "")
}

// trial returns a trial that has not expired, to who knows its secret.
func (h *Handler) trial(ctx context.Context, p *party, id, secret string) (store.Trial, error) {
	trial, err := h.Store.Trial(ctx, p.scope(), id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return store.Trial{}, err
	}
	stored := credential.Stored{Digest: trial.Digest, ExpiresAt: trial.ExpiresAt}
	if err != nil || !stored.Matches(secret, h.now()) {
		return store.Trial{}, fault.New(fault.NotFound, "there is no such test login, or it has expired, or its address is not complete")
	}
	return trial, nil
}

// finishTrial examines the answer of the provider, stores what came of it and shows it.
func (h *Handler) finishTrial(c *call, encoded string, began request) error {
	c.kind = "test"
	result, err := h.examine(c, encoded, began)
	if err != nil {
		return err
	}
	document, err := json.Marshal(result)
	if err != nil {
		return err
	}
	if err := h.Store.FinishTrial(c.Context(), c.party.scope(), began.Trial, string(document)); err != nil {
		return err
	}
	if result.Accepted {
		c.record(nil)
	} else {
		// The browser began the test with its secret address, so it is no stranger.
		c.record(&refusal{code: result.Refusal.Code, detail: result.Refusal.Detail, authentic: true})
	}
	return show(c.w, http.StatusOK, quietPolicy, trialPage, page{Title: "Test login", Trial: newTrialView(c.party, result)})
}

// The checks that follow those of the verifier.
const (
	checkIdentity = "identity" // whom the assertion names, and whether the connection speaks for the person
	checkLogin    = "login"    // whether that user is let in
)

// examine does what consume does, and tells instead of refusing. Its error is a failure of
// ours.
func (h *Handler) examine(c *call, encoded string, began request) (TrialResult, error) {
	result := TrialResult{At: h.now(), Checks: []TrialCheck{}}
	// refuse notes the check that failed, unless it is noted, and those that it spares.
	refuse := func(check string, err error) (TrialResult, error) {
		r, failed := refused(err)
		if failed {
			return TrialResult{}, err
		}
		result.Refusal = &TrialRefusal{r.code, r.detail}
		if check != "" {
			result.Checks = append(result.Checks, TrialCheck{Name: check, Detail: r.detail})
		}
		for _, name := range []string{checkIdentity, checkLogin} {
			if !slices.ContainsFunc(result.Checks, func(made TrialCheck) bool { return made.Name == name }) {
				result.Checks = append(result.Checks, TrialCheck{Name: name, Skipped: true, Detail: "not checked, because an earlier check failed"})
			}
		}
		return result, nil
	}
	message, err := verifier.Decode(encoded)
	if err != nil {
		return refuse("message", err)
	}
	report := verifier.Examine(c.Context(), message, h.expectation(c.party, &began))
	for _, check := range report.Checks {
		result.Checks = append(result.Checks, TrialCheck(check))
	}
	result.Message = report.Message[:min(len(report.Message), maxShown)]
	result.Assertion = shownAssertion(report.Assertion)
	if report.Refusal != nil {
		return refuse("", report.Refusal)
	}
	who, err := identify(report.Assertion, c.party.SAML, c.party.entityID)
	if err != nil {
		return refuse(checkIdentity, err)
	}
	l := who.login
	result.Checks = append(result.Checks, TrialCheck{Name: checkIdentity, Passed: true, Detail: l.Subject})
	result.Notes, result.Unmapped = who.ignored, who.unmapped
	result.Groups = &TrialGroups{l.Fact, append([]string{}, l.Groups...)}
	result.Person = &TrialPerson{Subject: l.Subject, UserName: l.UserName, Email: l.Email, DisplayName: l.DisplayName, ExternalID: l.ExternalID}
	why, in, err := h.Engine.PreviewLogin(c.Context(), c.author(), l)
	if err != nil {
		return refuse(checkLogin, err)
	}
	result.Person.Created, result.Person.Linked = in.Created, in.Linked
	if !in.Created {
		result.Person.User = in.User.ID
	}
	if in.User.ID != "" {
		result.Roles = &why
	}
	if in.Refused != "" {
		return refuse(checkLogin, ofLogin(in.Refused, l))
	}
	if c.party.Disabled {
		return refuse(checkLogin, disabled(c.party))
	}
	result.Checks = append(result.Checks, TrialCheck{Name: checkLogin, Passed: true})
	result.Accepted = true
	return result, nil
}

func shownAssertion(a *verifier.Assertion) *TrialAssertion {
	if a == nil {
		return nil
	}
	shown := &TrialAssertion{
		ID: a.ID, Issuer: a.Issuer, NameID: a.NameID.Value, NameIDFormat: a.NameID.Format, AuthnContext: a.AuthnContext,
		Encrypted: a.Encrypted, SignedBy: a.SignedBy, Attributes: []TrialAttribute{},
	}
	for _, attribute := range a.Attributes {
		shown.Attributes = append(shown.Attributes, TrialAttribute{attribute.Name, append([]string{}, attribute.Values...)})
	}
	return shown
}
