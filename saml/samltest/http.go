package samltest

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
)

// Handler plays the provider over HTTP, below URL:
//
//   - /metadata
//   - /sso reads an AuthnRequest by redirect or form and answers at once, as for somebody
//     who is signed in, with a page whose form posts the response (see ReadForm).
//   - /slo reads the answer to a LogoutRequest, and gives it to Provider.LoggedOut.
//
// What it does not accept is answered 400 with the reason.
func (p *Provider) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metadata", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/samlmetadata+xml")
		_, _ = w.Write(p.Metadata()) // the client has gone
	})
	mux.HandleFunc("/sso", p.sso)
	mux.HandleFunc("/slo", p.slo)
	return mux
}

func (p *Provider) slo(w http.ResponseWriter, r *http.Request) {
	answer, err := ReadRequest(r, p.ServiceCertificates)
	if err == nil && answer.Kind != "LogoutResponse" {
		err = fmt.Errorf("samltest: not a LogoutResponse but %s", answer.Kind)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if p.LoggedOut != nil {
		p.LoggedOut(answer)
	}
	_, _ = fmt.Fprintln(w, answer.Status) // the client has gone
}

func (p *Provider) sso(w http.ResponseWriter, r *http.Request) {
	request, err := ReadRequest(r, p.ServiceCertificates)
	if err == nil && request.Kind != "AuthnRequest" {
		err = fmt.Errorf("samltest: not an AuthnRequest but %s", request.Kind)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m := p.answer(request)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(Form(m.ACS, "SAMLResponse", p.Response(m), request.RelayState)) // the client has gone
}

// answer returns the message that answers a request.
func (p *Provider) answer(r Request) Message {
	m := Message{NameID: "anna@example.com"}
	if p.Answer != nil {
		m = p.Answer(r)
	}
	if m.ACS == "" {
		m.ACS = r.ACS
	}
	if m.Audience == "" {
		m.Audience = r.Issuer
	}
	if m.RequestID == "" {
		m.RequestID = r.ID
	}
	if m.Format == "" && r.Format != "" {
		m.Format = r.Format
	}
	return m
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	formField  = regexp.MustCompile(`<input[^>]* name="([^"]*)" value="([^"]*)"`)
)

// ReadForm reads a page that Form has made, or one like it: where its form is posted, and
// what. A test posts it in the place of a browser.
func ReadForm(page []byte) (action string, fields url.Values, err error) {
	found := formAction.FindSubmatch(page)
	if found == nil {
		return "", nil, errors.New("samltest: the page has no form")
	}
	fields = url.Values{}
	for _, field := range formField.FindAllSubmatch(page, -1) {
		fields.Add(html.UnescapeString(string(field[1])), html.UnescapeString(string(field[2])))
	}
	return html.UnescapeString(string(found[1])), fields, nil
}
