package interop

import (
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A browser is one person's: it keeps cookies, follows redirects, and submits the forms
// that it meets, with the person's name and password where a form asks for them.
type browser struct {
	tb     testing.TB
	person person
	client *http.Client
	visits []string   // what was asked for, for messages
	posted url.Values // the fields of the last form with a SAML message
}

// secureJar keeps cookies as browsers do on a loopback address, which they take for
// secure though it has no TLS (Secure Contexts, 3.1).
type secureJar struct{ *cookiejar.Jar }

func secure(u *url.URL) *url.URL {
	s := *u
	s.Scheme = "https"
	return &s
}

func (j secureJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.Jar.SetCookies(secure(u), cookies)
}
func (j secureJar) Cookies(u *url.URL) []*http.Cookie { return j.Jar.Cookies(secure(u)) }

func newBrowser(tb testing.TB, p person) *browser {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	b := &browser{tb: tb, person: p}
	b.client = &http.Client{
		Jar:       secureJar{jar},
		Transport: trusting(),
		Timeout:   time.Minute,
		CheckRedirect: func(request *http.Request, via []*http.Request) error {
			b.visits = append(b.visits, "redirected to "+short(request.URL))
			if len(via) > 10 {
				return fmt.Errorf("more than 10 redirects")
			}
			return nil
		},
	}
	return b
}

// A page is where a browser has arrived.
type page struct {
	url    *url.URL
	status int
	body   string
}

// open goes to an address, and on by every form, until a page has none.
func (b *browser) open(address string) page {
	b.tb.Helper()
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		b.tb.Fatal(err)
	}
	const most = 8 // pages; with a wrong password the login form comes again and again
	for range most {
		p := b.send(request)
		f, ok := formOf(p)
		if !ok {
			return p
		}
		request = b.submit(f)
	}
	b.tb.Fatalf("there is no end of forms:\n%s", strings.Join(b.visits, "\n"))
	return page{}
}

func (b *browser) send(request *http.Request) page {
	b.tb.Helper()
	b.visits = append(b.visits, request.Method+" "+short(request.URL))
	answer, err := b.client.Do(request)
	if err != nil {
		b.tb.Fatalf("%v\n%s", err, strings.Join(b.visits, "\n"))
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.tb.Fatal(err)
	}
	return page{url: answer.Request.URL, status: answer.StatusCode, body: string(body)}
}

func (b *browser) submit(f form) *http.Request {
	b.tb.Helper()
	fields := maps.Clone(f.fields)
	if fields.Has("password") {
		fields.Set("username", b.person.Name)
		fields.Set("password", b.person.Password)
	}
	if fields.Has("SAMLResponse") || fields.Has("SAMLRequest") {
		b.posted = fields
	}
	target, body := *f.action, strings.NewReader(fields.Encode())
	if f.method == http.MethodGet {
		target.RawQuery, body = fields.Encode(), strings.NewReader("")
	}
	request, err := http.NewRequest(f.method, target.String(), body)
	if err != nil {
		b.tb.Fatal(err)
	}
	if f.method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return request
}

// message is the last response of a provider that the browser has carried, as XML.
func (b *browser) message(tb testing.TB) string {
	tb.Helper()
	text, err := base64.StdEncoding.DecodeString(b.posted.Get("SAMLResponse"))
	if err != nil || len(text) == 0 {
		tb.Fatalf("the browser has carried no SAMLResponse (%v):\n%s", err, strings.Join(b.visits, "\n"))
	}
	return string(text)
}

// short is an address without the long values of its query.
func short(u *url.URL) string {
	keys := slices.Sorted(maps.Keys(u.Query()))
	return u.Scheme + "://" + u.Host + u.Path + " " + strings.Join(keys, ",")
}

// A form is the first of a page, with the values that its fields have.
type form struct {
	method string
	action *url.URL
	fields url.Values
}

var (
	formTag   = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputTag  = regexp.MustCompile(`(?is)<input\b([^>]*)>`)
	attribute = regexp.MustCompile(`(?is)([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')`)
)

// attributesOf are those of a tag, by name in lower case.
func attributesOf(tag string) map[string]string {
	found := map[string]string{}
	for _, match := range attribute.FindAllStringSubmatch(tag, -1) {
		found[strings.ToLower(match[1])] = html.UnescapeString(match[2] + match[3])
	}
	return found
}

// formOf returns the first form of a page that leads on: one with a password, or one that
// carries a message. It knows as much of HTML as the forms of the providers need.
func formOf(p page) (form, bool) {
	for _, match := range formTag.FindAllStringSubmatch(p.body, -1) {
		fields := url.Values{}
		for _, input := range inputTag.FindAllStringSubmatch(match[2], -1) {
			if a := attributesOf(input[1]); a["name"] != "" {
				fields.Add(a["name"], a["value"])
			}
		}
		if !fields.Has("password") && !fields.Has("SAMLResponse") && !fields.Has("SAMLRequest") {
			continue
		}
		a := attributesOf(match[1])
		action, err := p.url.Parse(a["action"])
		if err != nil {
			continue
		}
		method := http.MethodGet
		if strings.EqualFold(a["method"], http.MethodPost) {
			method = http.MethodPost
		}
		return form{method: method, action: action, fields: fields}, true
	}
	return form{}, false
}
