package testserver

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// The roles inside a PostgreSQL server. The application's owns its databases and is
// no superuser, as in a real deployment.
const (
	administrator = "postgres"
	application   = "rolesync"
)

// maintenance is the database that initdb makes. It is given to the application,
// since making another one would take a third of a second.
const maintenance = "postgres"

// PostgresServer is a running PostgreSQL server with one empty database.
type PostgresServer struct {
	*server
	password string
}

// A PostgresOption changes how a PostgreSQL server runs.
type PostgresOption func(*postgresOptions)

type postgresOptions struct{ settings []string }

// WithDurability has the server wait for the disk at each commit, as in production,
// for a benchmark. Without it a commit outlives a killed server, not a machine that
// loses power.
func WithDurability() PostgresOption {
	return Setting("fsync", "on", "full_page_writes", "on")
}

// Setting gives settings of postgresql.conf: name, value, name, value.
func Setting(settings ...string) PostgresOption {
	return func(o *postgresOptions) {
		for i := 0; i+1 < len(settings); i += 2 {
			o.settings = append(o.settings, "-c", settings[i]+"="+settings[i+1])
		}
	}
}

// StartPostgres makes a database cluster in dir, an existing empty folder, and
// starts a server on it. PostgreSQL refuses to run as root: for root it runs as the
// user postgres, or nobody, who is given the folder and must be able to reach it.
// The caller stops it. The error is exec.ErrNotFound when PostgreSQL is not
// installed.
func StartPostgres(dir string, options ...PostgresOption) (*PostgresServer, error) {
	binaries, err := postgresBinaries()
	if err != nil {
		return nil, err
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	o := postgresOptions{settings: []string{
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200",
		"-c", "fsync=off", "-c", "full_page_writes=off",
		// In the folder, not in /dev/shm, where a killed server would leave it behind.
		"-c", "dynamic_shared_memory_type=mmap",
	}}
	for _, option := range options {
		option(&o)
	}
	s := &PostgresServer{password: rand.Text()}
	data := filepath.Join(dir, "data")
	run := func(death syscall.Signal, binary string, arguments ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(binaries, binary), append([]string{"-D", data}, arguments...)...)
		cmd.Dir = dir
		cmd.Env = environment()
		cmd.SysProcAttr = attributes(death)
		cmd.SysProcAttr.Credential = owner
		return cmd
	}
	password := filepath.Join(dir, "password")
	// Not trust: every user of the machine can reach the port. No signal of our
	// death, since this thread is not kept for it; initdb ends soon by itself.
	initdb := run(0, "initdb", "--username="+administrator, "--pwfile="+password, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if err := s.initialize(dir, password, owner, initdb); err != nil {
		return nil, err
	}
	s.server = &server{
		name: "postgres",
		dir:  dir,
		command: func(port int) *exec.Cmd {
			// SIGQUIT: an end at once that still gives shared memory back.
			return run(syscall.SIGQUIT, "postgres", append([]string{"-p", strconv.Itoa(port)}, o.settings...)...)
		},
		ready: func(ctx context.Context, port, _ int) error {
			// Only our server knows our password.
			return execute(ctx, s.address(port, administrator, maintenance), "SELECT 1")
		},
		stop:    syscall.SIGINT, // "fast": sessions are cut, then all is written
		discard: syscall.SIGQUIT,
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	err = execute(ctx, s.AdminURL(),
		"CREATE ROLE "+application+" LOGIN PASSWORD '"+s.password+"'",
		"ALTER DATABASE "+maintenance+" OWNER TO "+application)
	if err != nil {
		_ = s.Kill() // never fails; the first error is the one to tell
		return nil, err
	}
	return s, nil
}

// initialize makes the database cluster.
func (s *PostgresServer) initialize(dir, password string, owner *syscall.Credential, initdb *exec.Cmd) error {
	if err := os.WriteFile(password, []byte(s.password), 0o600); err != nil {
		return err
	}
	if owner != nil {
		for _, path := range []string{dir, password} {
			if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
		}
	}
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb in %s: %w\n%s", dir, err, output)
	}
	return os.Remove(password)
}

// URL returns the address of the database as postgres://, for the role that owns it.
func (s *PostgresServer) URL() string { return s.address(s.port, application, maintenance) }

// AdminURL returns the address of the same database for a superuser.
func (s *PostgresServer) AdminURL() string { return s.address(s.port, administrator, maintenance) }

func (s *PostgresServer) address(port int, role, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(role, s.password),
		Host:     address(port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// execute runs statements, each in a transaction of its own.
func execute(ctx context.Context, address string, statements ...string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }() // what counts has been answered
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			name, _, _ := strings.Cut(statement, " PASSWORD ")
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// postgresBinaries finds the folder of initdb and postgres: on the PATH, else the
// newest version where Debian and Red Hat put them.
func postgresBinaries() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return "", err
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "initdb")); err == nil {
			return filepath.Dir(path), nil
		}
	}
	var newest string
	highest := -1
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb"} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		for _, match := range matches {
			folder := filepath.Dir(match)
			version, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(filepath.Dir(folder)), "pgsql-"))
			if err == nil && version > highest {
				newest, highest = folder, version
			}
		}
	}
	if newest == "" {
		return "", missingError{"postgres", "postgresql"}
	}
	return newest, nil
}

// unprivileged returns the user that PostgreSQL runs as: nil, for ourselves, unless
// we are root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		if found, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("find a user that PostgreSQL can run as: %w", err)
		}
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", found.Username, err)
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", found.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
