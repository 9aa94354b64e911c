package config

import (
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

const (
	fileVariable = ours + "CONFIG" // names the file, when Load is not given one
	testPrefix   = ours + "TEST_"  // variables of the test suite
	fromFile     = "_FILE"         // behind a secret's variable: a file that holds it
)

// Kubernetes gives every container variables for the services of its namespace; of
// a service named "rolesync" or "rolesync-redis" they look like ours.
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
var (
	serviceVariable = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	servicePort     = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

// readEnvironment takes over what the variables state, in the order of their names.
func (l *loader) readEnvironment(variables map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if !strings.HasPrefix(name, ours) || name == fileVariable || strings.HasPrefix(name, testPrefix) {
			continue
		}
		at, value := origin{noLine, name}, variables[name]
		if s, ok := l.settingOf(name); ok {
			l.set(s, value, at)
			continue
		}
		if s, ok := l.settingOf(strings.TrimSuffix(name, fromFile)); ok && s.secret() {
			l.setFromFile(s, value, at, variables)
			continue
		}
		if serviceVariable.MatchString(name) || strings.HasSuffix(name, "_PORT") && servicePort.MatchString(value) {
			continue
		}
		l.report(at, "unknown variable; config/rolesync.example.yaml names all there are")
	}
}

// setFromFile gives a secret the content of a file, without the line end that
// editors and echo leave there.
func (l *loader) setFromFile(s setting, file string, at origin, variables map[string]string) {
	if file == "" {
		return
	}
	if variables[s.variable] != "" {
		l.report(at, "states the same as %s; set only one of them", s.variable)
		return
	}
	content, err := os.ReadFile(file)
	if err != nil {
		if pathError, ok := errors.AsType[*os.PathError](err); ok {
			err = pathError.Err
		}
		l.report(at, "the file %s cannot be read: %v", quote(file), err)
		return
	}
	text := strings.TrimRight(string(content), "\r\n")
	if text == "" {
		// An empty secret file is a mount that went wrong, not a wish for defaults.
		l.report(at, "the file %s is empty", quote(file))
		return
	}
	l.set(s, text, at)
}

func (l *loader) settingOf(variable string) (setting, bool) {
	for _, s := range l.settings {
		if s.variable == variable {
			return s, true
		}
	}
	return setting{}, false
}
