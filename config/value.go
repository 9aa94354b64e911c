package config

import (
	"errors"
	"log/slog"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. Its text has a unit: "512KiB", "10MiB", "1GB".
type Size int64

// The units of a Size, binary ones of 1024 and decimal ones of 1000 (IEC 80000-13).
// B is the last, because every other name ends with it.
var units = [...]struct {
	name  string
	bytes int64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3}, {"B", 1},
}

var errSize = errors.New("not a size")

// UnmarshalText reads a whole number and a unit, with or without a space between.
func (s *Size) UnmarshalText(text []byte) error {
	for _, unit := range units {
		number, ok := strings.CutSuffix(string(text), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimRight(number, " "), 10, 63)
		if err != nil || n > math.MaxInt64/uint64(unit.bytes) {
			return errSize
		}
		*s = Size(int64(n) * unit.bytes)
		return nil
	}
	return errSize
}

// String gives the size in the largest unit that divides it.
func (s Size) String() string {
	for _, unit := range units {
		if s != 0 && int64(s)%unit.bytes == 0 {
			return strconv.FormatInt(int64(s)/unit.bytes, 10) + unit.name
		}
	}
	return "0B"
}

// MarshalText is String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Format is the form of a log line.
type Format string

// The forms of a log line.
const (
	Text Format = "text" // key=value, for people
	JSON Format = "json" // one object a line, for collectors
)

var errFormat = errors.New("not a log format")

// UnmarshalText reads the name of a form.
func (f *Format) UnmarshalText(text []byte) error {
	switch form := Format(text); form {
	case Text, JSON:
		*f = form
		return nil
	}
	return errFormat
}

// wanted says what the text of a setting of type t has to be, to go behind "is not".
func wanted(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[bool]():
		return "true or false"
	case reflect.TypeFor[int]():
		return "a whole number"
	case reflect.TypeFor[time.Duration]():
		return "a duration, like 500ms or 3s"
	case reflect.TypeFor[Size]():
		return "a size, like 512KiB or 10MiB"
	case reflect.TypeFor[slog.Level]():
		return "a log level: debug, info, warn or error"
	case reflect.TypeFor[Format]():
		return "a log format: text or json"
	}
	return "a value of this setting"
}

// quote shows a value that was refused: at most 64 bytes of it, and nothing of one
// that may be an address with a password in it.
func quote(value string) string {
	const most = 64
	switch {
	case strings.Contains(value, "@"):
		return "the value (hidden: it may hold a password)"
	case len(value) > most:
		return strconv.Quote(value[:most]) + "…"
	}
	return strconv.Quote(value)
}
