package scim

import (
	"cmp"
	"encoding/base64"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// attributeKind is the data type of an attribute, RFC 7643 §2.3. References, dates
// and binaries are kept as the strings that they are on the wire.
type attributeKind uint8

const (
	stringKind attributeKind = iota
	booleanKind
	integerKind
	decimalKind
	dateTimeKind
	binaryKind
	referenceKind
	complexKind
)

// kinds are the types of a schema document.
var kinds = map[string]attributeKind{
	"string": stringKind, "boolean": booleanKind, "integer": integerKind, "decimal": decimalKind,
	"dateTime": dateTimeKind, "binary": binaryKind, "reference": referenceKind, "complex": complexKind,
}

// String says what an attribute of the kind takes, for errors.
func (k attributeKind) String() string {
	return [...]string{"a string", "true or false", "a whole number", "a number",
		"a time like 2008-01-23T04:56:22Z", "base64", "a URI", "an object"}[k]
}

// maxNumber bounds the text of a number, in bytes.
const maxNumber = 64

// coerce returns the normal form of a simple value. Entra sends booleans as "True"
// and "False", others as 1 and 0; Okta sends numbers for strings.
func (k attributeKind) coerce(v value) (string, bool) {
	if v.kind == object || v.kind == array {
		return "", false
	}
	switch k {
	case booleanKind:
		switch {
		case v.text == "1" || strings.EqualFold(v.text, "true"):
			return "true", true
		case v.text == "0" || strings.EqualFold(v.text, "false"):
			return "false", true
		}
		return "", false
	case integerKind:
		n, err := strconv.ParseInt(strings.TrimSpace(v.text), 10, 64)
		return strconv.FormatInt(n, 10), v.kind != boolean && err == nil
	case decimalKind:
		s := strings.TrimSpace(v.text)
		_, err := strconv.ParseFloat(s, 64)
		return s, v.kind != boolean && s != "" && len(s) <= maxNumber && numberLength(s) == len(s) && err == nil
	case dateTimeKind:
		s := strings.TrimSpace(v.text)
		_, ok := parseTime(s)
		return s, v.kind == text && ok
	case binaryKind:
		s, ok := padded(v.text)
		return s, v.kind == text && ok
	case referenceKind:
		return v.text, isURI(v.text)
	}
	return v.text, true
}

// parseNumber reads a number, exactly if it has 64 bits: a float would take one long
// number for its neighbour.
func parseNumber(s string) (*big.Float, bool) { return new(big.Float).SetPrec(256).SetString(s) }

// parseTime reads an xsd:dateTime with date and time (RFC 7643 §2.3.5). One without a
// time zone is taken for UTC, so that it can be compared.
func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, s[13] == ':' && strings.IndexByte(s, ',') < 0 // Go takes 4:56:22,5 too
		}
	}
	return time.Time{}, false
}

// padded returns base64 (RFC 4648 §4) in one line with its padding, which may be
// missing (RFC 7643 §2.3.6).
func padded(s string) (string, bool) {
	s = strings.NewReplacer("\r", "", "\n", "", " ", "", "\t", "").Replace(s)
	s = strings.TrimRight(s, "=") + strings.Repeat("=", -len(strings.TrimRight(s, "="))&3)
	_, err := base64.StdEncoding.DecodeString(s)
	return s, err == nil
}

// isURI reports whether s is a URI or a relative reference: RFC 7643 §2.3.7 has both.
func isURI(s string) bool {
	_, err := url.Parse(s)
	return err == nil && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// order compares two texts of the kind by what they mean: numbers by size, times by
// the moment. It is not ok when the kind compares as text, or y is none of its values.
func (k attributeKind) order(x, y string) (_ int, ok bool) {
	switch k {
	case integerKind, decimalKind:
		a, okA := parseNumber(x)
		b, okB := parseNumber(y)
		if okA && okB {
			return a.Cmp(b), true
		}
	case dateTimeKind:
		a, okA := parseTime(x)
		b, okB := parseTime(y)
		return a.Compare(b), okA && okB
	}
	return cmp.Compare(x, y), false
}

// equal reports whether two values of a mean the same: strings as the schema has it
// with or without case, numbers and times by what they are, lists in any order.
func (a *attribute) equal(x, y *node) bool {
	if a.multi {
		return x.set == y.set && len(x.parts) == len(y.parts) && a.holds(x.parts, y.parts) && a.holds(y.parts, x.parts)
	}
	return a.equalSingle(x, y)
}

// holds reports whether each of the values is among the others.
func (a *attribute) holds(list, values []node) bool {
	for i := range values {
		found := false
		for j := range list {
			found = found || a.equalSingle(&list[j], &values[i])
		}
		if !found {
			return false
		}
	}
	return true
}

func (a *attribute) equalSingle(x, y *node) bool {
	if x.set != y.set {
		return false
	}
	if a.kind == complexKind {
		for i := range x.parts {
			if !a.subs.list[i].equal(&x.parts[i], &y.parts[i]) {
				return false
			}
		}
		return true
	}
	if order, ok := a.kind.order(x.text, y.text); ok {
		return order == 0
	}
	return x.text == y.text || a.kind == stringKind && !a.caseExact && strings.EqualFold(x.text, y.text)
}
