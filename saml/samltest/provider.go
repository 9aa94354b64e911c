package samltest

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"html/template"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Provider is an identity provider. Its fields may be changed before it is used.
type Provider struct {
	EntityID string
	Key      crypto.Signer
	// Certificates are those in its metadata; the first is the one of Key.
	Certificates []*x509.Certificate

	// URL is where the handler is mounted, without a slash at its end: it goes into the
	// metadata.
	URL string
	// Answer says what is answered to a request: who has signed in. What it leaves out of
	// ACS, Audience and RequestID is taken from the request. nil: Anna, without groups.
	Answer func(r Request) Message
	// LoggedOut is told of each LogoutResponse that arrives. nil: nobody is.
	LoggedOut func(r Request)
	// ServiceCertificates are those of ours whose keys may sign requests. With any, a
	// request without a signature is refused.
	ServiceCertificates []*x509.Certificate
}

// New returns a provider of that entity ID, with an RSA key of 2,048 bits that is the
// entity's own in this process.
func New(entityID string) *Provider { return NewWith(entityID, Quick2048) }

// NewWith is New with a key of another kind.
func NewWith(entityID string, kind KeyKind) *Provider {
	key := Key(kind, entityID)
	return &Provider{
		EntityID:     entityID,
		Key:          key,
		Certificates: []*x509.Certificate{SelfSigned(key, "samltest", time.Now().AddDate(5, 0, 0))},
		URL:          strings.TrimSuffix(entityID, "/metadata"),
	}
}

// Certificate returns the certificate of the key that signs.
func (p *Provider) Certificate() *x509.Certificate { return p.Certificates[0] }

// Responses returns the response of each message, made on all processors: thousands in
// a second, with a quick key.
func (p *Provider) Responses(messages []Message) [][]byte {
	responses := make([][]byte, len(messages))
	var all sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		all.Go(func() {
			for i := w; i < len(messages); i += workers {
				responses[i] = p.Response(messages[i])
			}
		})
	}
	all.Wait()
	return responses
}

// Encode returns a message as it stands in a form.
func Encode(message []byte) string { return base64.StdEncoding.EncodeToString(message) }

var form = template.Must(template.New("form").Parse(`<!DOCTYPE html>
<title>Signing in</title>
<form method="post" action="{{.Action}}">
{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<button>Continue</button>
</form>
<script>document.forms[0].submit()</script>
`))

// Field is a field of a form.
type Field struct{ Name, Value string }

// Form returns the page that posts a message (bindings section 3.5.4): field is
// SAMLResponse or SAMLRequest. Without a relay state there is no field of that name.
func Form(action, field string, message []byte, relayState string) []byte {
	fields := []Field{{field, Encode(message)}}
	if relayState != "" {
		fields = append(fields, Field{"RelayState", relayState})
	}
	var b strings.Builder
	if err := form.Execute(&b, map[string]any{"Action": template.URL(action), "Fields": fields}); err != nil {
		panic(err) // a string builder does not fail, and the fields are those of the template
	}
	return []byte(b.String())
}
