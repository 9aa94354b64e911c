package saml

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/sso"
)

// requestTime is how long somebody may take to sign in at the provider.
const requestTime = 15 * time.Minute

// request is a login under way: what we asked the provider for, for whom, and what comes
// next. It is kept in shared storage under the hash of its RelayState, and taken once.
type request struct {
	ID      string      `json:"id"`              // of the AuthnRequest
	Browser string      `json:"browser"`         // the hash of the browser's cookie
	At      time.Time   `json:"at"`              // when we asked
	Asked   sso.Request `json:"asked,omitzero"`  // by the application
	Trial   string      `json:"trial,omitempty"` // the test login that it is
	Fresh   bool        `json:"fresh,omitempty"` // ForceAuthn
}

// A RelayState of ours is relayPrefix and 128 random bits in base64url: 25 bytes of the 80
// that SAML allows (bindings §3.4.3), and nothing that would need escaping anywhere.
const (
	relayPrefix = "rs_"
	relayBytes  = 16
)

func newRelayState() string { return relayPrefix + randomText(relayBytes) }

// randomText returns n random bytes in base64url.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand crashes the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// oursRelayState reports whether a text has the form of a RelayState of ours, whether or
// not it is known. A provider that begins a login by itself may send any other.
func oursRelayState(s string) bool {
	rest, ours := strings.CutPrefix(s, relayPrefix)
	if !ours || len(rest) != base64.RawURLEncoding.EncodedLen(relayBytes) {
		return false
	}
	_, err := base64.RawURLEncoding.DecodeString(rest)
	return err == nil
}

// hashed is the stored form of a RelayState or a cookie.
func hashed(secret string) string {
	digest := sha256.Sum256([]byte("rolesync saml login v1\x00" + secret))
	return hex.EncodeToString(digest[:])
}

// keep stores a login under way and returns its RelayState.
func (h *Handler) keep(ctx context.Context, p *party, r request) (string, error) {
	document, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	state := newRelayState()
	return state, h.Store.CreateRequest(ctx, p.scope(), hashed(state), string(document), r.At.Add(requestTime))
}

// take ends the login that a RelayState names, whoever presents it: what comes of it now
// is all that comes of it.
func (h *Handler) take(ctx context.Context, p *party, state string) (request, error) {
	var r request
	document, err := h.Store.TakeRequest(ctx, p.scope(), hashed(state), h.now())
	if fault.Is(err, fault.NotFound) {
		return r, &refusal{code: "relay_state", status: http.StatusBadRequest,
			detail: fmt.Sprintf("the RelayState %s names no login under way at this connection: it was answered before, is older than %s, or belongs to another", quote(state[:min(len(state), 8)]), requestTime)}
	}
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal([]byte(document), &r)
}

// The cookie that ties a login to the browser in which it began, so that nobody can have
// another's browser signed in as themselves (login CSRF). It is the same for all logins
// that the browser has under way: two tabs do not disturb each other.
//
// The provider's answer is a POST from another site, which Lax cookies do not come with:
// it is SameSite=None, and so Secure; the name's prefix keeps every other host from
// setting it. Where we are known by an http:// address, as in development, a browser
// would drop such a cookie. There it has no Secure and no SameSite attribute, which
// reaches us from another site in Firefox and Safari, and for two minutes in Chrome.
const (
	secureCookie = "__Host-rolesync_login"
	plainCookie  = "rolesync_login"
	cookieBytes  = 32
)

// browser returns the value of the browser's cookie, a new one if it has none.
func (h *Handler) browser(r *http.Request) string {
	for _, cookie := range r.CookiesNamed(h.cookieName()) {
		if b, err := base64.RawURLEncoding.DecodeString(cookie.Value); err == nil && len(b) == cookieBytes {
			return cookie.Value
		}
	}
	return randomText(cookieBytes)
}

func (h *Handler) secure() bool { return strings.HasPrefix(h.BaseURL, "https:") }

func (h *Handler) cookieName() string {
	if h.secure() {
		return secureCookie
	}
	return plainCookie
}

func (h *Handler) setCookie(w http.ResponseWriter, value string) {
	cookie := &http.Cookie{Name: h.cookieName(), Value: value, Path: "/", MaxAge: int(requestTime / time.Second), HttpOnly: true}
	if h.secure() {
		cookie.Secure, cookie.SameSite = true, http.SameSiteNoneMode
	}
	http.SetCookie(w, cookie)
}

// sameBrowser refuses a login that began in another browser. Nothing else is told about
// it: who sees this may be the victim.
func (h *Handler) sameBrowser(r *http.Request, began request) error {
	cookies := r.CookiesNamed(h.cookieName())
	for _, cookie := range cookies {
		if subtle.ConstantTimeCompare([]byte(hashed(cookie.Value)), []byte(began.Browser)) == 1 {
			return nil
		}
	}
	detail := "the login began in another browser: its cookie is another one"
	if len(cookies) == 0 {
		detail = "the browser sent no cookie of a login: it began in another browser, or the browser keeps cookies of other sites back"
	}
	return &refusal{code: "cookie", detail: detail}
}
