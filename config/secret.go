package config

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a value that must not be seen. However it is printed, logged or
// marshalled, alone or inside a struct, "[redacted]" comes out; an empty one prints
// as nothing, so that "not set" can be told from "set". Only Reveal gives the value.
//
// An unexported field hides its methods from package fmt: keep Secrets in exported
// fields, or print the struct field by field.
type Secret struct{ value string }

// NewSecret returns a Secret that holds value.
func NewSecret(value string) Secret { return Secret{value: value} }

// Reveal returns the value itself. What is done with it must not reach a log.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is no value.
func (s Secret) IsZero() bool { return s.value == "" }

// UnmarshalText sets the value; it never fails.
func (s *Secret) UnmarshalText(text []byte) error {
	s.value = string(text)
	return nil
}

func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return redacted
}

// GoString is what %#v prints.
func (s Secret) GoString() string { return fmt.Sprintf("config.Secret(%q)", s.String()) }

// Format is what every verb of package fmt prints, also %x and %d, which would go
// around String.
func (s Secret) Format(state fmt.State, verb rune) {
	text := s.String()
	switch {
	case verb == 'v' && state.Flag('#'):
		text = s.GoString()
	case verb == 'q':
		text = fmt.Sprintf("%q", text)
	}
	_, _ = io.WriteString(state, text) // fmt's buffer does not fail
}

// MarshalText hides the value from every encoder that has no better way to ask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON hides the value from encoding/json.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalYAML hides the value from yaml.v3.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue hides the value from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
