package verifier

import (
	"bytes"
	"context"

	"github.com/beevik/etree"
)

// Report is what an administrator is shown of a test login.
type Report struct {
	Checks    []Check    // in the order in which they are made
	Assertion *Assertion // nil if refused
	Refusal   *Refusal   // the first; nil if accepted
	// Message is the message as it was understood, indented; "" if it is not XML. What was
	// encrypted is decrypted in it once a signature of the provider has verified.
	Message string
}

// Check is a check by its name, and what came of it.
type Check struct {
	Name   string
	Passed bool
	// Skipped says that it was not made, because an earlier one failed.
	Skipped bool
	Detail  string // the value that was found, or why it is refused
}

// names are the checks in their order. A signature that need not be there, and the
// decryption of what is not encrypted, are left out of a report.
var names = []string{
	"message",
	"version", "destination", "issuer", "status", "in_response_to", "issue_instant",
	"response_signature", "decryption", "assertion_signature",
	"assertion", "assertion_issuer", "assertion_issue_instant", "name_id",
	"confirmation", "conditions", "audience", "authn_statement",
	"second_opinion",
}

// Examine does what Verify does, and reports every check with its result. Where checks do
// not build on each other it goes on after one that failed, so that an administrator sees
// all that is wrong at once.
func Examine(ctx context.Context, message []byte, e Expectation) Report {
	r := &run{expected: e, report: &Report{}}
	r.report.Refusal = r.guarded(ctx, func() (refusal *Refusal) {
		r.report.Assertion, refusal = r.verify(message)
		return refusal
	})
	if r.report.Refusal != nil {
		r.report.Assertion = nil
		r.report.skipped()
	}
	return *r.report
}

// skipped notes the checks that were not reached.
func (p *Report) skipped() {
	reached := 0
	for i, name := range names {
		if p.find(name) != nil {
			reached = i + 1
		}
	}
	for _, name := range names[reached:] {
		switch name {
		case "response_signature", "decryption", "assertion_signature":
		default:
			p.Checks = append(p.Checks, Check{Name: name, Skipped: true, Detail: "not checked, because an earlier check failed"})
		}
	}
}

func (p *Report) find(name string) *Check {
	for i := range p.Checks {
		if p.Checks[i].Name == name {
			return &p.Checks[i]
		}
	}
	return nil
}

// note notes what came of a check; of one that is made again, the last result.
func (p *Report) note(name, detail string, refusal *Refusal) {
	c := Check{Name: name, Passed: refusal == nil, Detail: detail}
	if refusal != nil {
		c.Detail = refusal.Detail
	}
	if earlier := p.find(name); earlier != nil {
		*earlier = c
		return
	}
	p.Checks = append(p.Checks, c)
}

// check is a check by its name. It returns the value that it found.
type check struct {
	name string
	make func() (string, *Refusal)
}

// checks makes checks that do not build on each other, and returns the first refusal. Only
// for a report does it go on after that.
func (r *run) checks(all ...check) *Refusal {
	var first *Refusal
	for _, c := range all {
		detail, refusal := c.make()
		if refusal != nil && first == nil {
			first = refusal
		}
		if r.report != nil {
			r.report.note(c.name, detail, refusal)
		} else if first != nil {
			return first
		}
	}
	return first
}

// show keeps a message for the report. An assertion that was decrypted takes the place of
// the encrypted one.
func (r *run) show(response, decrypted *etree.Element) {
	if r.report == nil {
		return
	}
	shown := response.Copy()
	if decrypted != nil {
		if sealed := only(shown, assertionSpace, "EncryptedAssertion"); sealed != nil {
			at := sealed.Index()
			shown.RemoveChildAt(at)
			shown.InsertChildAt(at, decrypted.Copy())
		}
	}
	document := etree.NewDocumentWithRoot(shown)
	document.Indent(2)
	var b bytes.Buffer
	if _, err := document.WriteTo(&b); err == nil { // a bytes.Buffer does not fail
		r.report.Message = b.String()
	}
}
