package interop

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolesync/rolesync/internal/testserver"
)

// A person whom every provider knows.
type person struct {
	Name       string   `json:"name"`
	Password   string   `json:"password"`
	Email      string   `json:"email"`
	GivenName  string   `json:"given_name"`
	FamilyName string   `json:"family_name"`
	Groups     []string `json:"groups"`
}

// adminGroup is the group that a rule of every organization names. It is the last one of
// everybody's, so that a list that was cut off shows.
const adminGroup = "IT Admins"

// people have 10 and 1,000 groups, with the signs in their names that real ones have.
func people() []person {
	return []person{
		{"few", "few's password", "few@example.com", "Fay", "Few", groupNames(10)},
		{"many", "many's password", "many@example.com", "Max", "Many", groupNames(1000)},
	}
}

func groupNames(n int) []string {
	names := []string{"R&D <core>", "Größe: 100 %", "a/b;c", `CN=Sales\, EMEA,OU=Groups,DC=example,DC=com`}
	for i := len(names); i < n-1; i++ {
		names = append(names, fmt.Sprintf("team-%04d", i))
	}
	return append(names, adminGroup)
}

// A product is the software of an identity provider.
type product struct {
	name     string
	metadata string // the path that serves its metadata
	// settings of our connection that this one needs.
	settings map[string]any
	// command makes the command that runs it in a folder; it ends the test when something
	// is not installed.
	command func(tb testing.TB, dir, address string) func(port int) *exec.Cmd
	tests   map[string]func(*testing.T, *world, *provider) // what only this one does
}

var products = []product{
	{
		name: "simplesamlphp", metadata: "/saml2/idp/metadata.php", command: simpleSAMLphp,
		tests: map[string]func(*testing.T, *world, *provider){
			"a login that begins at the provider is refused": unsolicitedRefused,
			"a login that begins at the provider, allowed":   unsolicitedAllowed,
			"logout by redirect":                             logoutByRedirect,
			"our keys change, with overlap":                  ourKeysChange,
			"the provider's certificate changes":             providerKeyChanges,
			"SCIM brings the person":                         broughtBySCIM,
		},
	},
	{
		name: "pysaml2", metadata: "/metadata", command: pysaml2,
		tests: map[string]func(*testing.T, *world, *provider){
			"Triple DES is refused": tripleDESRefused,
			"logout by POST":        logoutByPost,
		},
	},
	{name: "samlp", metadata: "/metadata", command: nodePackage("samlp")},
	// Its template of a response does not say how the person signed in.
	{name: "samlify", metadata: "/metadata", command: nodePackage("samlify"), settings: map[string]any{"without_authn_statement": true}},
}

// Where Debian and Ubuntu install the web pages of SimpleSAMLphp.
const simpleSAMLphpPages = "/usr/share/simplesamlphp/www"

func simpleSAMLphp(tb testing.TB, dir, address string) func(int) *exec.Cmd {
	const packages = "simplesamlphp php-cli php-xml php-mbstring"
	php := installed(tb, "php", packages)
	if _, err := os.Stat(simpleSAMLphpPages); err != nil {
		testserver.Missing(tb, "SimpleSAMLphp", packages)
	}
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		tb.Fatal(err)
	}
	return func(port int) *exec.Cmd {
		cmd := exec.Command(php, "-S", fmt.Sprintf("127.0.0.1:%d", port), "-t", simpleSAMLphpPages)
		cmd.Env = []string{
			"SIMPLESAMLPHP_CONFIG_DIR=" + testdata(tb, "simplesamlphp"),
			"INTEROP_FOLDER=" + dir,
			"INTEROP_ADDRESS=" + address,
		}
		return cmd
	}
}

func pysaml2(tb testing.TB, dir, address string) func(int) *exec.Cmd {
	const packages = "python3-pysaml2 xmlsec1"
	installed(tb, "xmlsec1", packages)
	// Debian's packages belong to Debian's Python, whatever else PATH has.
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import saml2").Run(); err != nil {
		testserver.Missing(tb, "pysaml2", packages)
	}
	return func(port int) *exec.Cmd {
		return exec.Command(python, testdata(tb, "pysaml2", "provider.py"), dir, address, fmt.Sprint(port))
	}
}

// nodePackage runs provider.js of a folder of testdata, with the packages that its
// package-lock.json names: by their hashes, wherever npm fetches them from.
func nodePackage(name string) func(testing.TB, string, string) func(int) *exec.Cmd {
	return func(tb testing.TB, dir, address string) func(int) *exec.Cmd {
		node := installed(tb, "node", "nodejs")
		npm := installed(tb, "npm", "npm")
		program := filepath.Join(dir, "program")
		if err := os.CopyFS(program, os.DirFS(testdata(tb, name))); err != nil {
			tb.Fatal(err)
		}
		install := exec.CommandContext(tb.Context(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
		install.Dir = program
		if out, err := install.CombinedOutput(); err != nil {
			tb.Fatalf("npm ci of %s: %v\n%s", name, err, out)
		}
		return func(port int) *exec.Cmd {
			return exec.Command(node, filepath.Join(program, "provider.js"), dir, address, fmt.Sprint(port))
		}
	}
}

// installed returns the path of a program.
func installed(tb testing.TB, binary, packages string) string {
	tb.Helper()
	found, err := exec.LookPath(binary)
	if err != nil {
		testserver.Missing(tb, binary, packages)
	}
	return found
}

func testdata(tb testing.TB, path ...string) string {
	tb.Helper()
	full, err := filepath.Abs(filepath.Join(append([]string{"testdata"}, path...)...))
	if err != nil {
		tb.Fatal(err)
	}
	return full
}

// A provider is a running identity provider behind a proxy that speaks TLS, as in front of
// any: its metadata may not name an address without it.
type provider struct {
	product
	address string // https://…, of the proxy
	dir     string
}

// start runs a product with a key of its own and everybody in it. It knows no service
// provider yet.
func (p product) start(tb testing.TB) *provider {
	tb.Helper()
	dir := testserver.Folder(tb, p.name)
	users, err := json.Marshal(people())
	if err != nil {
		tb.Fatal(err)
	}
	write(tb, filepath.Join(dir, "users.json"), users)
	newKey(tb, dir)
	if err := os.Mkdir(filepath.Join(dir, "sp"), 0o700); err != nil {
		tb.Fatal(err)
	}
	var behind *url.URL // set before anybody is told the address of the proxy
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}})
	tb.Cleanup(front.Close)
	server := testserver.HTTP(tb, testserver.Program{
		Name: p.name, Dir: dir, Command: p.command(tb, dir, front.URL), Ready: p.metadata,
	})
	if behind, err = url.Parse(server.URL()); err != nil {
		tb.Fatal(err)
	}
	return &provider{product: p, address: front.URL, dir: dir}
}

// newKey gives a provider another key. Those that read their files for each request have it
// at once.
func newKey(tb testing.TB, dir string) {
	tb.Helper()
	key, certificate, err := keyPair()
	if err != nil {
		tb.Fatal(err)
	}
	write(tb, filepath.Join(dir, "key.pem"), key)
	write(tb, filepath.Join(dir, "cert.pem"), certificate)
}

// trust gives the provider the metadata of a service provider. Whether it encrypts for it
// follows from the name: for "encrypted…" it does, and pysaml2 for "triple-des".
func (p *provider) trust(tb testing.TB, name string, metadata []byte) {
	tb.Helper()
	write(tb, filepath.Join(p.dir, "sp", name+".xml"), metadata)
}

// encrypts reports whether the provider encrypts for a connection.
func (c *connection) encrypts() bool {
	return strings.HasPrefix(c.name, "encrypted")
}

// metadataXML is what the provider says of itself.
func (p *provider) metadataXML(tb testing.TB) []byte {
	tb.Helper()
	return fetch(tb, p.address+p.metadata)
}

// sso is where the provider takes requests by redirect, as its metadata says.
func (p *provider) sso(tb testing.TB) string {
	tb.Helper()
	var metadata struct {
		Services []struct {
			Binding  string `xml:",attr"`
			Location string `xml:",attr"`
		} `xml:"IDPSSODescriptor>SingleSignOnService"`
	}
	if err := xml.Unmarshal(p.metadataXML(tb), &metadata); err != nil {
		tb.Fatal(err)
	}
	for _, service := range metadata.Services {
		if strings.HasSuffix(service.Binding, ":HTTP-Redirect") {
			return service.Location
		}
	}
	tb.Fatalf("the metadata of %s has no SingleSignOnService for HTTP-Redirect", p.name)
	return ""
}

// trusting is a client that takes the certificate of the proxies, of net/http/httptest, for good.
var trusting = sync.OnceValue(func() *http.Transport {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	return server.Client().Transport.(*http.Transport)
})

func fetch(tb testing.TB, address string) []byte {
	tb.Helper()
	client := &http.Client{Transport: trusting()}
	answer, err := client.Get(address)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		tb.Fatalf("GET %s: %s, %v\n%s", address, answer.Status, err, body)
	}
	return body
}

func write(tb testing.TB, path string, content []byte) {
	tb.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// keyPair makes a key with its self-signed certificate, as PEM.
func keyPair() (key, certificate []byte, err error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "identity provider of a test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
	return key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
