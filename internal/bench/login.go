package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/harness"
	"github.com/rolesync/rolesync/saml/samltest"
)

// signIn is a SAML connection with its provider, and an application.
type signIn struct {
	provider  *samltest.Provider
	client    *http.Client // follows no redirect
	entity    string       // ours
	acs, page string       // our ACS, and where a login begins, with all that an application asks for
}

// newSignIn makes an organization with a SAML connection, and an application.
func (b *bench) newSignIn(ctx context.Context) (*signIn, error) {
	s := &signIn{
		provider: samltest.New("https://idp.bench.example/metadata"),
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 2 * clients, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       time.Minute,
		},
	}
	tenant, err := harness.NewTenantLike(ctx, b.service, "Sign-in", b.Tenant)
	if err != nil {
		return nil, err
	}
	const callback = "https://app.bench.example/callback"
	var application struct {
		ID string `json:"client_id"`
	}
	if err := b.admin(ctx, "POST", "/applications", map[string]any{"name": "Bench", "redirect_uris": []string{callback}}, &application); err != nil {
		return nil, err
	}
	var connection struct {
		SAML struct {
			EntityID string `json:"entity_id"`
			ACSURL   string `json:"acs_url"`
			LoginURL string `json:"login_url"`
		} `json:"saml"`
	}
	err = b.admin(ctx, "POST", "/organizations/"+tenant.Organization+"/connections", map[string]any{
		"name": "Bench", "kind": "saml", "saml": map[string]any{"metadata_xml": string(s.provider.Metadata())},
	}, &connection)
	if err != nil {
		return nil, err
	}
	s.entity, s.acs = connection.SAML.EntityID, connection.SAML.ACSURL
	s.page = connection.SAML.LoginURL + "?" + url.Values{
		"response_type": {"code"}, "client_id": {application.ID}, "redirect_uri": {callback}, "state": {"state-of-the-bench"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}, // RFC 7636, appendix B
	}.Encode()
	return s, nil
}

func (b *bench) admin(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return b.Admin(ctx, b.service, method, path, text, into)
}

// answer is what a browser posts to the ACS when the person has signed in.
type answer struct {
	form   string
	cookie *http.Cookie
}

// begin has so many browsers begin a login, and the provider answer them, in vain so far.
// It is not measured.
func (b *bench) begin(ctx context.Context, s *signIn, n int, person func(i int) string, groups int) ([]answer, error) {
	answers := make([]answer, n)
	messages := make([]samltest.Message, n)
	states := make([]string, n)
	listed := make([]string, groups)
	for i := range listed {
		listed[i] = fmt.Sprintf("team-%04d", i)
	}
	_, err := b.load(ctx, clients, 0, int64(n), func(ctx context.Context, i int64) error {
		response, err := s.do(ctx, "GET", s.page, "", nil)
		if err != nil {
			return err
		}
		address, err := response.Location()
		if err != nil {
			return fmt.Errorf("a login begins with %s: %w", response.Status, err)
		}
		asked, err := samltest.ReadRedirect(address.RawQuery, nil)
		if err != nil {
			return err
		}
		if len(response.Cookies()) != 1 {
			return errors.New("a login begins without a cookie")
		}
		name := person(int(i))
		answers[i].cookie, states[i] = response.Cookies()[0], asked.RelayState
		messages[i] = samltest.Message{
			ACS: s.acs, Audience: s.entity, RequestID: asked.ID, NameID: name, Email: name, Groups: listed,
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, message := range s.provider.Responses(messages) {
		answers[i].form = url.Values{"SAMLResponse": {samltest.Encode(message)}, "RelayState": {states[i]}}.Encode()
	}
	return answers, nil
}

func (s *signIn) do(ctx context.Context, method, address, form string, cookie *http.Cookie) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	if form != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if cookie != nil {
		request.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response, errors.Join(err, response.Body.Close())
}

// login posts an answer, and wants to be sent to the application with a code: by then the
// assignment is in Redis.
func (s *signIn) login(ctx context.Context, a answer) error {
	response, err := s.do(ctx, "POST", s.acs, a.form, a.cookie)
	if err != nil {
		return err
	}
	address, err := response.Location()
	if err != nil || address.Query().Get("code") == "" {
		return fmt.Errorf("a login is answered with %s and no code", response.Status)
	}
	return nil
}

// logins measures whole logins at the ACS: verified, stored, published, a code made.
func (b *bench) logins(ctx context.Context) error {
	s, err := b.newSignIn(ctx)
	if err != nil {
		return err
	}
	const people = 2000
	for _, work := range []struct {
		name, goal string
		least      float64
		n, groups  int
		person     func(i int) string
	}{
		{"login of somebody new, 10 groups", "1,000/s", 1000, people, 10, func(i int) string { return fmt.Sprintf("person%d@bench.example", i) }},
		{"login of somebody known, 10 groups", "1,000/s", 1000, 2 * people, 10, func(i int) string { return fmt.Sprintf("person%d@bench.example", i%people) }},
		{"login of somebody whose 10 groups become 20", "reported", 0, people, 20, func(i int) string { return fmt.Sprintf("person%d@bench.example", i) }},
	} {
		answers, err := b.begin(ctx, s, work.n, work.person, work.groups)
		if err != nil {
			return err
		}
		if err := b.settled(ctx); err != nil {
			return err
		}
		r, err := b.load(ctx, clients, 0, int64(len(answers)), func(ctx context.Context, i int64) error { return s.login(ctx, answers[i]) })
		if err != nil {
			return err
		}
		reached := r.perSecond() >= work.least
		b.report(work.name, work.goal, reached, "%s", r.describe())
	}
	return nil
}
