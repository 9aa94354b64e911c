package samltest

import (
	"net/http"
)

// Handler plays the provider over HTTP, below URL: /metadata, and /sso, which reads a
// request by redirect or form and answers at once, as for somebody who is signed in, with
// a page whose form posts the response. What it does not accept is answered 400 with the
// reason.
func (p *Provider) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metadata", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/samlmetadata+xml")
		_, _ = w.Write(p.Metadata()) // the client has gone
	})
	mux.HandleFunc("/sso", p.sso)
	return mux
}

func (p *Provider) sso(w http.ResponseWriter, r *http.Request) {
	request, err := ReadRequest(r, p.ServiceCertificates)
	if err == nil && request.Kind != "AuthnRequest" {
		http.Error(w, "samltest: not an AuthnRequest but "+request.Kind, http.StatusBadRequest)
		return
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
