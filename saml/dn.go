package saml

import (
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// commonName returns the CN of the first relative distinguished name of a DN (RFC 4514),
// which is the name of the entry itself: of CN=Admins,OU=Groups,DC=acme it is "Admins". It
// is not there when the text is no DN, or is the DN of an entry that is named otherwise:
// in OU=Admins,CN=Users,DC=acme "Users" is only where the entry lies.
//
// Of the older forms that RFC 4514 lets a reader understand, spaces around the signs
// "," "+" and "=" are understood, and nothing else.
func commonName(text string) (name string, ok bool) {
	p := dnParser{rest: text}
	for {
		first, separator, valid := p.attribute()
		if !valid {
			return "", false
		}
		if !ok && first.isCommonName() {
			name, ok = first.value, first.value != ""
		}
		if separator == '+' {
			continue
		}
		// The rest only has to be a DN.
		for separator == ',' || separator == '+' {
			if _, separator, valid = p.attribute(); !valid {
				return "", false
			}
		}
		return name, ok
	}
}

type dnAttribute struct{ kind, value string }

func (a dnAttribute) isCommonName() bool {
	return strings.EqualFold(a.kind, "CN") || strings.EqualFold(a.kind, "commonName") || a.kind == "2.5.4.3"
}

// dnParser takes one attribute after the other off a DN.
type dnParser struct{ rest string }

// attribute returns the next type and value, and the sign behind it: ',' or '+', or 0 at
// the end.
func (p *dnParser) attribute() (a dnAttribute, separator byte, ok bool) {
	kind, rest, found := strings.Cut(p.rest, "=")
	a.kind = strings.Trim(kind, " ")
	if !found || !isAttributeType(a.kind) {
		return a, 0, false
	}
	p.rest = strings.TrimLeft(rest, " ")
	if strings.HasPrefix(p.rest, "#") {
		return p.hexValue(a)
	}
	return p.stringValue(a)
}

// isAttributeType reports whether a text is a descriptor or an OID (RFC 4512 §1.4).
func isAttributeType(s string) bool {
	if s == "" {
		return false
	}
	if s[0] >= '0' && s[0] <= '9' {
		for part := range strings.SplitSeq(s, ".") {
			if part == "" || strings.Trim(part, "0123456789") != "" || len(part) > 1 && part[0] == '0' {
				return false
			}
		}
		return strings.Contains(s, ".")
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case i > 0 && (c >= '0' && c <= '9' || c == '-'):
		default:
			return false
		}
	}
	return true
}

// stringValue reads a value in which special signs are escaped by a backslash, or any byte
// by a backslash and two hex digits.
func (p *dnParser) stringValue(a dnAttribute) (_ dnAttribute, separator byte, ok bool) {
	s := p.rest
	value := make([]byte, 0, len(s))
	kept := 0 // up to where spaces at the end are part of the value
	i := 0
scan:
	for ; i < len(s); i++ {
		switch c := s[i]; c {
		case ',', '+':
			separator = c
			break scan
		case '\\':
			if i+1 == len(s) {
				return a, 0, false
			}
			if strings.IndexByte(` "#+,;<=>\`, s[i+1]) >= 0 {
				value = append(value, s[i+1])
				i++
			} else {
				if i+2 >= len(s) {
					return a, 0, false
				}
				b, err := hex.DecodeString(s[i+1 : i+3])
				if err != nil {
					return a, 0, false
				}
				value = append(value, b[0])
				i += 2
			}
			kept = len(value)
		case '"', ';', '<', '>', 0:
			return a, 0, false // they have to be escaped
		case ' ':
			value = append(value, c)
		default:
			value = append(value, c)
			kept = len(value)
		}
	}
	p.rest = ""
	if separator != 0 {
		p.rest = s[i+1:]
	}
	a.value = string(value[:kept])
	return a, separator, utf8.ValidString(a.value)
}

// hexValue reads "#" and the BER encoding of a value in hex, of which only strings have a
// text.
func (p *dnParser) hexValue(a dnAttribute) (_ dnAttribute, separator byte, ok bool) {
	end := strings.IndexAny(p.rest, ",+")
	digits := p.rest
	p.rest = ""
	if end >= 0 {
		separator = digits[end]
		digits, p.rest = digits[:end], digits[end+1:]
	}
	der, err := hex.DecodeString(strings.TrimRight(digits[1:], " "))
	if err != nil || len(der) == 0 {
		return a, 0, false
	}
	var text string
	if rest, err := asn1.Unmarshal(der, &text); err == nil && len(rest) == 0 && utf8.ValidString(text) {
		a.value = text
	}
	return a, separator, true
}
