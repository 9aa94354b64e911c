package demo

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rolesync/rolesync/claims"
)

// Print tells a person where everything is.
func (d *Demo) Print(out io.Writer) {
	name := filepath.Join(d.service.Config.Data, FileName)
	_, _ = fmt.Fprintf(out, `
rolesync demo

  Admin API    %s
  Key          %s
  SCIM         %s
  Token        %s
  Redis        %s
  For scripts  %s

  All assignments of the demo organization, as a token issuer reads them:

    %s

`, d.APIURL, d.APIKey, d.SCIMURL, d.SCIMToken, d.RedisAddr, name, d.redisCLI()) // a terminal that is gone needs nothing, here and below
	switch {
	case d.replaced:
		_, _ = fmt.Fprintf(out, "  %s was about another database. Here the demo organization is new.\n\n", name)
	case !d.First:
		_, _ = fmt.Fprint(out, "  The demo organization and its data are those of the last start.\n")
	}
}

// redisCLI is the command that shows all assignments.
func (d *Demo) redisCLI() string {
	c := d.service.Config.Redis
	user, password, db, tls := c.Username, !c.Password.IsZero(), c.DB, c.TLS
	if u, err := url.Parse(c.URL.Reveal()); err == nil && !c.URL.IsZero() {
		user = u.User.Username()
		_, password = u.User.Password()
		db, _ = strconv.Atoi(strings.TrimPrefix(u.Path, "/")) // none is 0
		tls = u.Scheme == "rediss"
	}
	host, port, err := net.SplitHostPort(d.RedisAddr)
	if err != nil {
		host, port = d.RedisAddr, "6379"
	}
	command := "redis-cli -h " + host + " -p " + port
	if password {
		command = "REDISCLI_AUTH=… " + command // never printed; redis-cli takes it from there
	}
	if user != "" {
		command += " --user " + user
	}
	if tls {
		command += " --tls"
	}
	if c.Cluster {
		command += " -c"
	}
	if db > 0 {
		command += fmt.Sprintf(" -n %d", db)
	}
	return fmt.Sprintf("%s HGETALL '%s'", command, claims.Keys{Prefix: c.Prefix}.Assignments(d.Organization))
}

// PrintNext tells a person what to try.
func (d *Demo) PrintNext(out io.Writer) {
	with := ""
	if len(d.Settings) > 0 {
		with = " with the same " + strings.Join(d.Settings, ", ")
	}
	commands := [][2]string{
		{d.Program + " simulate entra", "another provider's session, with a report per user"},
		{d.Program + " verify", "proves that facts, rules, SQL and Redis agree"},
	}
	stays := d.service.Config.Data
	if !d.service.Config.Database.URL.IsZero() {
		stays = "the database"
	}
	_, _ = fmt.Fprintf(out, "\n  Next, in another terminal%s:\n\n", with)
	for _, c := range commands {
		_, _ = fmt.Fprintf(out, "    %-*s   %s\n", len(commands[0][0]), c[0], c[1])
	}
	_, _ = fmt.Fprintf(out, `    curl -H 'Authorization: Bearer %s' %s/organizations/%s/users

  Ctrl-C stops; the data stays in %s.

`, d.APIKey, d.APIURL, d.Organization, stays)
}
