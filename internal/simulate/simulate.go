// Package simulate plays an identity provider: it sends to a SCIM address, over HTTP,
// what the provider really sends, in its order and in its dialect, and reports what came
// of it in Redis and how long that took.
//
// A session is: the provider's connection test; a look-up of each user and then its
// creation, or its update when it is there already; a push of each group with its
// members; then a changed profile, a renamed group, a user moved from one group to
// another, a deactivation, a deactivation that is taken back, and deletions: a user
// where the provider deletes users, a group pushed for the purpose where it deletes
// groups.
//
// People and groups follow from the seed alone, so that a second session with the same
// options meets its own users: every look-up finds something and the provider updates
// instead of creating. The people of two providers are never the same. Their groups have
// the same names, though, and some providers state all members of a group (Okta when it
// links one, Keycloak and authentik always): on one connection, a session of theirs puts
// the people of another provider out of the groups.
//
// How the providers differ, with the source in the file of each:
//
//	            looks up            users      groups              deletes
//	okta        userName, name      PUT        PATCH               groups
//	entra       userName, name      PATCH      PATCH one by one    users
//	onelogin    userName, lists     PUT        PATCH one by one    users
//	jumpcloud   userName, name      PUT        PATCH               groups
//	google      userName, name      PUT        PATCH               users
//	ping        username, name      PUT        PATCH               users, groups
//	rippling    lists by count      PATCH      PATCH one by one    users, groups
//	keycloak    lists               PUT        PUT                 users, groups
//	authentik   lists               PUT        PATCH, then GET     users, groups
//
// What a source leaves open is said where it is decided. Those of Okta and Entra are the
// vendors' own pages: Okta, "SCIM 2.0 protocol reference"
// (developer.okta.com/docs/api/openapi/okta-scim/guides/scim-20); Microsoft, "Develop
// and plan provisioning for a SCIM endpoint" and "Known issues with SCIM 2.0 protocol
// compliance" (learn.microsoft.com/entra/identity/app-provisioning). Of the others, whom
// fewer sources describe, one dialect holds what is common (classic.go).
//
// The package must not know the service: it sees HTTP and package claims only.
package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rolesync/rolesync/claims"
)

// Progress says what a session writes to Out while it runs.
type Progress int

// The kinds of progress.
const (
	Steps    Progress = iota // a line for each step; a bar as well when Out is a terminal
	Landings                 // a line for each assignment as it lands in Redis; needs a Reader
	Silent                   // nothing; the report only
)

// Options describe a session.
type Options struct {
	Provider Provider
	// URL is the SCIM base address ("https://…/scim/v2/conn_…"), Token its bearer token.
	// As in Entra's own settings, "?aadOptscim062020" at the end of URL sets Compliant.
	URL, Token string
	// Compliant has Entra send the PATCH bodies of its flag aadOptscim062020.
	Compliant bool
	// Users and Groups say how many; 0 is 20 and 5. The first five groups are
	// Engineering, IT Admins, Finance, support-emea and Everyone, then team-001 and on.
	Users, Groups int
	// Seed chooses the people.
	Seed uint64
	// Concurrency is how many users or groups are pushed side by side; 0 is 4. With 1
	// the order of all requests is the same every time.
	Concurrency int

	// Reader, with Organization ("org_…"), is where assignments are looked for. Without
	// it the report has the HTTP side only.
	Reader       *claims.Reader
	Organization string

	// Out receives the progress and the printed report; nil discards both.
	Out      io.Writer
	Progress Progress
	// Client sends the requests; nil is a client of the session's own.
	Client *http.Client

	limit time.Duration // landingLimit, unless a test cannot wait
}

// landingLimit is how long the last changes have to land in Redis, and quiet how long
// nothing may land before the session believes that it has seen them all.
const (
	landingLimit = 10 * time.Second
	quiet        = 300 * time.Millisecond
)

// Run plays a session and prints its report to Out. The report is complete up to where
// the session came, also beside an error, which is one of: bad options or a failed
// connection test (nothing was sent after it), the end of ctx, requests that the
// provider would show as errors, or changes that did not land in Redis in time.
func Run(ctx context.Context, o Options) (Report, error) {
	o, err := o.complete()
	if err != nil {
		return Report{}, err
	}
	out := newPrinter(o.Out)
	out.title(fmt.Sprintf("%s session against %s: %s, %s", o.Provider, o.URL, count(o.Users, "user"), count(o.Groups, "group")))

	s := &session{
		options: o,
		plan:    newPlan(o),
		log:     newRecord(),
		steps:   &steps{out: out, silent: o.Progress != Steps},
	}
	s.dialect = o.Provider.profile().dialect(&client{http: o.Client, base: o.URL, token: o.Token, log: s.log}, o)

	var watch *watch
	if o.Reader != nil {
		if watch, err = startWatch(ctx, o, out); err != nil {
			return Report{}, err
		}
		defer watch.stop()
	}
	began := time.Now()
	err = s.play(ctx)
	took := time.Since(began)
	var late []string
	if watch != nil && s.connected && ctx.Err() == nil {
		var waiting error
		late, waiting = watch.settle(ctx, s.plan.people, s.steps)
		err = errors.Join(err, waiting)
	}
	report := s.report(began, took, late)
	if watch != nil {
		watch.stop()
		if reading := report.addAssignments(context.WithoutCancel(ctx), o, s.plan, s.log, watch); reading != nil {
			err = errors.Join(err, reading)
		}
	}
	out.report(report)
	return report, errors.Join(err, report.err())
}

// Check returns what makes no session of the options, before anything is sent or
// printed.
func (o Options) Check() error {
	_, err := o.complete()
	return err
}

// complete fills the defaults in and refuses what makes no session.
func (o Options) complete() (Options, error) {
	u, err := url.Parse(o.URL)
	switch {
	case o.Provider.index() < 0:
		return o, unknown(o.Provider)
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return o, fmt.Errorf("%q is not the http address of a SCIM connection", o.URL)
	case o.Users < 0 || o.Groups < 0 || o.Concurrency < 0:
		return o, errors.New("users, groups and concurrency must not be negative")
	case o.Reader != nil && o.Organization == "":
		return o, errors.New("an organization is needed to look for assignments")
	}
	o.Compliant = o.Compliant || strings.Contains(u.RawQuery, "aadOptscim062020")
	u.RawQuery, u.Fragment = "", ""
	o.URL = strings.TrimRight(u.String(), "/")
	o.Users = cmp.Or(o.Users, 20)
	o.Groups = cmp.Or(o.Groups, 5)
	o.Concurrency = cmp.Or(o.Concurrency, 4)
	o.limit = cmp.Or(o.limit, landingLimit)
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = o.Concurrency
		o.Client = &http.Client{Transport: transport, Timeout: time.Minute}
	}
	return o, nil
}
