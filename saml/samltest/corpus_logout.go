package samltest

import (
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"strings"
	"time"
)

// LogoutCase is a LogoutRequest of the corpus: as a form has it, or as the query of a
// redirect.
type LogoutCase struct {
	Name, Note string
	Message    []byte // XML, by a form; nil: by redirect
	Query      string // by redirect
	// Legal requests are to be accepted, for this NameID and these sessions.
	Legal    bool
	NameID   string
	Sessions []string
	// Codes are the reasons for which a hostile one may be refused.
	Codes []string

	Issuer       string
	Certificates []*x509.Certificate // pinned
}

// LogoutCorpus returns requests that are to be refused and requests that are to be
// accepted, at a destination whose clock says now.
func LogoutCorpus(now time.Time, destination string, skew time.Duration) []LogoutCase {
	c := &logoutCorpus{now: now, destination: destination, skew: skew, provider: New("https://idp.example/saml/metadata")}
	c.legal()
	c.content()
	c.forms()
	c.redirects()
	return c.cases
}

type logoutCorpus struct {
	now         time.Time
	destination string
	skew        time.Duration
	provider    *Provider
	cases       []LogoutCase
}

func (c *logoutCorpus) request() Logout {
	return Logout{Destination: c.destination, NameID: person, Sessions: []string{"_session1"}, Now: c.now, End: c.now.Add(Life)}
}

func (c *logoutCorpus) add(k LogoutCase) {
	k.Issuer = c.provider.EntityID
	if k.Certificates == nil {
		k.Certificates = c.provider.Certificates
	}
	c.cases = append(c.cases, k)
}

// both adds a request by form and by redirect.
func (c *logoutCorpus) both(name, note, codes string, change func(l *Logout)) {
	l := c.request()
	change(&l)
	k := LogoutCase{Name: name + ", by form", Note: note, Legal: codes == "", NameID: l.NameID, Sessions: l.Sessions, Codes: strings.Fields(codes)}
	if l.Signature.Certificates != nil {
		k.Certificates = l.Signature.Certificates
	}
	k.Message = c.provider.LogoutRequest(l)
	c.add(k)
	k.Name, k.Message, k.Query = name+", by redirect", nil, c.provider.LogoutQuery(l, "state")
	c.add(k)
}

func (c *logoutCorpus) legal() {
	const note = "SAML core 3.7.1"
	c.both("a session", note, "", func(*Logout) {})
	c.both("two sessions", note, "", func(l *Logout) { l.Sessions = []string{"_session1", "_session2"} })
	c.both("all sessions", note, "", func(l *Logout) { l.Sessions = nil })
	c.both("no end", note, "", func(l *Logout) { l.End = time.Time{} })
	c.both("a clock that is ahead by the skew", note, "", func(l *Logout) { l.Now = l.Now.Add(c.skew - time.Second) })
	c.both("SHA-512", note, "", func(l *Logout) { l.Signature.Method, l.Signature.Digest = RSASHA512, SHA512 })
	key := Key(P256, "corpus")
	c.both("a key P-256", note, "", func(l *Logout) {
		l.Signature.Key, l.Signature.Certificates = key, certificates(SelfSigned(key, "corpus", c.now.AddDate(3, 0, 0)))
	})
	queried := func(name, note, query string) {
		c.add(LogoutCase{Name: name, Note: note, Legal: true, NameID: person, Sessions: []string{"_session1"}, Query: query})
	}
	l := c.request()
	queried("by redirect without a relay state", "SAML bindings 3.4.4.1", c.provider.LogoutQuery(l, ""))
	queried("by redirect with parameters of a proxy", "they are not signed", "utm=1&"+c.provider.LogoutQuery(l, "state")+"&x=%20")
	l.Escape = LowerEscape
	queried("by redirect with escapes in lower case", "ADFS", c.provider.LogoutQuery(l, "https://roles.example/?a=ü"))
	l.Escape = func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	queried("by redirect with spaces as %20", "what is signed is what was sent", c.provider.LogoutQuery(l, "a b"))
}

// content adds requests that are soundly signed, and say something wrong.
func (c *logoutCorpus) content() {
	said := func(name, codes string, edit func(r *Element)) {
		c.both(name, "SAML core 3.7.1", codes, func(l *Logout) { l.Edit = edit })
	}
	said("another destination", "destination", func(r *Element) { r.Set("Destination", "https://other.example/logout") })
	said("no destination", "destination", func(r *Element) { r.Unset("Destination") })
	said("another issuer", "issuer", func(r *Element) { r.Find("Issuer").SetText("https://other.example/idp") })
	said("no issuer", "issuer", func(r *Element) { r.Replace(r.Find("Issuer")) })
	said("version 1.1", "version", func(r *Element) { r.Set("Version", "1.1") })
	said("no NameID", "name_id", func(r *Element) { r.Replace(r.Find("NameID")) })
	said("an empty NameID", "name_id", func(r *Element) { r.Find("NameID").SetText("") })
	said("two NameIDs", "name_id", func(r *Element) { r.After(r.Find("NameID"), r.Find("NameID").Clone().SetText(intruder)) })
	said("an EncryptedID", "name_id", func(r *Element) { r.Replace(r.Find("NameID"), parse("<saml:EncryptedID/>")) })
	said("an empty session index", "malformed", func(r *Element) { r.Find("SessionIndex").SetText("") })
	said("made an hour ago", "issue_instant", func(r *Element) { r.Set("IssueInstant", Instant(c.now.Add(-time.Hour))) })
	said("made in an hour", "issue_instant", func(r *Element) { r.Set("IssueInstant", Instant(c.now.Add(time.Hour))) })
	said("no time", "malformed", func(r *Element) { r.Unset("IssueInstant") })
	said("its time is over", "expired", func(r *Element) { r.Set("NotOnOrAfter", Instant(c.now.Add(-c.skew))) })
	said("a comment in the NameID", "malformed", func(r *Element) {
		r.Find("NameID").Children = []Node{Text(intruder), Comment(""), Text(".evil.example")}
	})
	said("a response in its place", "malformed", func(r *Element) { r.Name = "samlp:LogoutResponse" })
	said("an assertion in its extensions", "malformed", func(r *Element) {
		r.After(r.Find("Issuer"), parse("<samlp:Extensions><saml:Assertion/></samlp:Extensions>"))
	})
	c.both("a foreign key", "its certificate is not pinned", "signature", func(l *Logout) { l.Signature.Key = Key(Quick2048, "corpus: foreign") })
	c.both("RSA-SHA1", "SHA-1 collides", "algorithm", func(l *Logout) { l.Signature.Method = RSASHA1 })
	c.both("HMAC of the certificate", "algorithm confusion", "algorithm", func(l *Logout) {
		l.Signature.Method, l.Signature.Secret = HMACSHA256, c.provider.Certificate().Raw
	})
	c.both("unsigned", "SAML profiles 4.4.4.1: it must be signed", "unsigned", func(l *Logout) { l.Unsigned = true })
}

// forms adds requests that were changed on their way by a form.
func (c *logoutCorpus) forms() {
	tampered := func(name, codes string, tamper func(r *Element)) {
		l := c.request()
		l.Tamper = tamper
		c.add(LogoutCase{Name: name, Note: "changed after it was signed", Codes: strings.Fields(codes), Message: c.provider.LogoutRequest(l)})
	}
	tampered("by form, for another person", "signature", func(r *Element) { r.Find("NameID").SetText(intruder) })
	tampered("by form, without its session", "signature", func(r *Element) { r.Replace(r.Find("SessionIndex")) })
	tampered("by form, wrapped in a forged one", "malformed", func(r *Element) {
		forged := r.Clone()
		signature := r.Find("Signature")
		r.Replace(signature)
		forged.Replace(forged.Find("Signature"), signature.Append((&Element{Name: "ds:Object"}).Append(r.Clone())))
		forged.Set("ID", "_evil").Find("NameID").SetText(intruder)
		*r = *forged
	})
	l := c.request()
	query, _ := url.ParseQuery(c.provider.LogoutQuery(l, ""))
	c.add(LogoutCase{Name: "by form, compressed", Note: "the other binding", Codes: []string{"malformed"}, Message: []byte(query.Get("SAMLRequest"))})
}

// redirects adds what can be done to a query.
func (c *logoutCorpus) redirects() {
	queried := func(name, codes string, change func(q string) string) {
		c.add(LogoutCase{Name: "by redirect: " + name, Note: "SAML bindings 3.4.4.1", Codes: strings.Fields(codes), Query: change(c.provider.LogoutQuery(c.request(), "state"))})
	}
	field := func(q, name string) string {
		for pair := range strings.SplitSeq(q, "&") {
			if strings.HasPrefix(pair, name+"=") {
				return pair
			}
		}
		panic("samltest: no " + name + " in " + q)
	}
	other := func(of Logout) string { return field(c.provider.LogoutQuery(of, ""), "SAMLRequest") }
	forged := c.request()
	forged.NameID = intruder
	queried("another request", "signature", func(q string) string { return strings.Replace(q, field(q, "SAMLRequest"), other(forged), 1) })
	queried("two requests, the signed one first", "query", func(q string) string { return q + "&" + other(forged) })
	queried("two requests, the signed one last", "query", func(q string) string { return other(forged) + "&" + q })
	queried("a second request whose name has an escape", "query", func(q string) string {
		return strings.Replace(other(forged), "SAMLRequest", "SAML%52equest", 1) + "&" + q
	})
	queried("another relay state", "signature", func(q string) string { return strings.Replace(q, "=state", "=evil", 1) })
	queried("its relay state removed", "signature", func(q string) string { return strings.Replace(q, "&RelayState=state", "", 1) })
	queried("an empty relay state", "signature", func(q string) string { return strings.Replace(q, "=state", "=", 1) })
	queried("another algorithm", "signature", func(q string) string {
		return strings.Replace(q, field(q, "SigAlg"), "SigAlg="+url.QueryEscape(RSASHA512), 1)
	})
	queried("no algorithm", "unsigned algorithm", func(q string) string { return strings.Replace(q, "&"+field(q, "SigAlg"), "", 1) })
	queried("no signature", "unsigned", func(q string) string { return strings.Replace(q, "&"+field(q, "Signature"), "", 1) })
	queried("a signature that is not base64", "signature", func(q string) string {
		return strings.Replace(q, field(q, "Signature"), "Signature=***", 1)
	})
	queried("a response beside the request", "query", func(q string) string { return q + "&SAMLResponse=x" })
	queried("another encoding", "query", func(q string) string { return q + "&SAMLEncoding=none" })
	queried("nothing", "query", func(string) string { return "" })
	queried("a broken escape", "query", func(q string) string { return strings.Replace(q, "SAMLRequest=", "SAMLRequest=%zz", 1) })
	signed := func(name, codes string, value []byte) {
		query := "SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString(value)) + "&SigAlg=" + url.QueryEscape(RSASHA256)
		s := c.provider.signing(Signature{Method: RSASHA256})
		query += "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(s.value([]byte(query))))
		c.add(LogoutCase{Name: "by redirect: " + name, Note: "soundly signed", Codes: strings.Fields(codes), Query: query})
	}
	xml := []byte(c.provider.logout(c.request()).String())
	signed("not compressed", "malformed query", xml)
	signed("compressed, cut short", "malformed query", Deflate(xml)[:100])
	signed("compressed to a thousandth", "too_large", Deflate([]byte(strings.Repeat(" ", 5<<20)+string(xml))))
	signed("a document type", "doctype", Deflate([]byte("<!DOCTYPE a>"+string(xml))))
	signed("signed within as well", "malformed", Deflate(c.provider.LogoutRequest(c.request())))
}
