package saml

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

//go:embed pages
var pages embed.FS

// submitScript is the only script there is.
const submitScript = "document.forms[0].submit()"

var (
	styleText = strings.TrimSpace(mustRead("pages/style.css"))

	errorPage = parsePage("error.html")
	donePage  = parsePage("done.html")
	postPage  = parsePage("post.html")
	trialPage = parsePage("trial.html")
)

func mustRead(name string) string {
	text, err := pages.ReadFile(name)
	if err != nil {
		panic(err) // it is part of the program
	}
	return string(text)
}

// parsePage puts a page into the layout. Values are escaped by html/template; the style
// and the script are ours, and the policy of the page holds their hashes.
func parsePage(name string) *template.Template {
	functions := template.FuncMap{
		"style":  func() template.HTML { return template.HTML("<style>" + styleText + "</style>") },
		"submit": func() template.HTML { return template.HTML("<script>" + submitScript + "</script>") },
	}
	return template.Must(template.New("layout.html").Funcs(functions).ParseFS(pages, "pages/layout.html", "pages/"+name))
}

// page is what a page shows.
type page struct {
	Title     string
	Text      string
	Reference string
	Form      form
	Trial     *trialView
}

// A policy for each page: nothing is loaded from anywhere, nobody may frame it, and where
// there is no form, nothing may be sent.
var (
	quietPolicy = policy("form-action 'none'")
	// A form of ours posts to the provider, which redirects it, maybe to another host of
	// its own: browsers apply form-action to that too, so the scheme is all that it says.
	postPolicy      = policy("form-action https:; script-src " + sourceHash(submitScript))
	plainPostPolicy = policy("form-action https: http:; script-src " + sourceHash(submitScript))
)

func policy(more string) string {
	return "default-src 'none'; style-src " + sourceHash(styleText) + "; base-uri 'none'; frame-ancestors 'none'; " + more
}

func sourceHash(text string) string {
	hash := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"
}

// show renders a page and only then answers.
func show(w http.ResponseWriter, status int, policy string, t *template.Template, p page) error {
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(b.Len()))
	header.Set("Content-Security-Policy", policy)
	private(header)
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a browser that is gone needs no answer
	return nil
}

// private keeps an answer out of caches and its address out of other servers' logs.
func private(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
}

// redirect sends the browser on, by GET (RFC 9110 §15.4.4).
func redirect(w http.ResponseWriter, location string) {
	private(w.Header())
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// showForm shows a page that posts a message by itself.
func showForm(w http.ResponseWriter, f form) error {
	policy := postPolicy
	if !strings.HasPrefix(f.Action, "https:") {
		policy = plainPostPolicy
	}
	return show(w, http.StatusOK, policy, postPage, page{Title: "One moment", Form: f})
}
