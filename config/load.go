package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// ours begins the name of every variable of ours.
const ours = "ROLESYNC_"

// Load reads the file at path and then environ, which is as from os.Environ. With
// path "" the variable ROLESYNC_CONFIG names the file, and without that there is
// none: defaults and environment are enough to start.
//
// The error joins every problem there is, in the order of the file and then of the
// variables' names, one line each:
//
//	rolesync.yaml:7: redis.timeout: "fast" is not a duration, like 500ms or 3s
//	ROLESYNC_LOG_LEVEL: "loud" is not a log level: debug, info, warn or error
//
// A problem is a file that cannot be read, an unknown or repeated key, an unknown
// variable, a value of the wrong form or out of range, and settings that contradict
// each other. No message holds a secret.
func Load(path string, environ []string) (Config, error) {
	l := newLoader()
	variables := env.ToMap(environ)
	if path == "" {
		path = variables[fileVariable]
	}
	if path != "" {
		l.readFile(path)
	}
	l.readEnvironment(variables)
	l.check()
	if err := l.err(); err != nil {
		return Config{}, err
	}
	return l.config, nil
}

// A setting is one leaf of Config.
type setting struct {
	path     string // "redis.timeout"
	variable string // "ROLESYNC_REDIS_TIMEOUT"
	kind     reflect.Type
}

// secret reports whether the setting holds one.
func (s setting) secret() bool { return s.kind == reflect.TypeFor[Secret]() }

// list reports whether the setting takes several values.
func (s setting) list() bool { return s.kind.Kind() == reflect.Slice }

// settings returns the leaves of a struct, in its order. Its fields' tags are the
// only place where the names of settings stand.
func settings(t reflect.Type, path, variable string) []setting {
	var found []setting
	for field := range t.Fields() {
		if section, ok := field.Tag.Lookup("envPrefix"); ok {
			found = append(found, settings(field.Type, path+field.Tag.Get("yaml")+".", variable+section)...)
			continue
		}
		found = append(found, setting{
			path:     path + field.Tag.Get("yaml"),
			variable: variable + field.Tag.Get("env"),
			kind:     field.Type,
		})
	}
	return found
}

// An origin is where a value came from.
type origin struct {
	line  int    // in the file; noLine when it is not from there
	where string // what a message about the value begins with
}

const noLine = math.MaxInt

type problem struct {
	origin
	text string
}

// A loader holds a Config that is being put together.
type loader struct {
	config   Config
	settings []setting
	origins  map[string]origin // of each value that is not a default, by path
	problems []problem
}

func newLoader() *loader {
	return &loader{
		config:   Default(),
		settings: settings(reflect.TypeFor[Config](), "", ours),
		origins:  make(map[string]origin),
	}
}

// set gives a setting the value that text stands for.
func (l *loader) set(s setting, text string, from origin) {
	if text == "" {
		return
	}
	// One variable at a time, so that an error is about that one.
	err := env.ParseWithOptions(&l.config, env.Options{
		Prefix:      ours,
		Environment: map[string]string{s.variable: text},
	})
	if err != nil {
		l.report(from, "%s is not %s", quote(text), wanted(s.kind))
		return
	}
	l.origins[s.path] = from
}

// report notes a problem with what stands at from.
func (l *loader) report(from origin, format string, args ...any) {
	l.problems = append(l.problems, problem{from, fmt.Sprintf(format, args...)})
}

// refuse notes a problem with the value of the setting at path.
func (l *loader) refuse(path, format string, args ...any) {
	from, ok := l.origins[path]
	if !ok {
		from = origin{noLine, path}
	}
	l.report(from, format, args...)
}

// err joins the problems, nil when there are none.
func (l *loader) err() error {
	slices.SortStableFunc(l.problems, func(a, b problem) int {
		if a.line != b.line {
			return a.line - b.line
		}
		if a.line == noLine {
			return strings.Compare(a.where, b.where)
		}
		return 0
	})
	var all []error
	for _, p := range l.problems {
		all = append(all, fmt.Errorf("%s: %s", p.where, p.text))
	}
	return errors.Join(all...)
}
