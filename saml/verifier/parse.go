package verifier

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// parser reads a message in one pass and builds the tree of etree from it, asking the guard
// about every element.
//
// It reads the part of XML 1.0 and of Namespaces in XML on which all parsers agree, and
// refuses the rest: document types, processing instructions, names outside ASCII or with two
// colons, entities other than the five, undeclared prefixes, other encodings than UTF-8.
// Where it accepts a message, encoding/xml reads the same from it, save that line breaks and
// tabs in attribute values become spaces here, as XML 1.0 section 3.3.3 has it (a fuzz test
// compares the two).
//
//	in the message                       in the tree
//	CDATA                                its text: canonical XML knows no CDATA
//	comment between elements             nothing: canonical XML without comments drops it
//	comment in a value                   refused
//	CR LF, CR                            LF (section 2.11); &#13; stays CR
//	byte order mark of UTF-8 in front    nothing
//	xml:lang, xml:base, xsi:…            attributes like others; they mean nothing to us
type parser struct {
	text  string // the message, of which every name and most values are parts
	at    int
	guard *guard

	prefixes map[string]int // prefix to its place in spaces
	spaces   []string       // the namespace that each prefix is bound to now
	rebound  []binding      // what to restore when elements end

	open     []frame
	elements int
	nodes    int
	attrs    int
	scratch  []etree.Attr // of the tag that is being read
}

// binding is what a prefix was bound to outside of the element that bound it anew.
type binding struct {
	prefix int
	space  string
}

// frame is an element that has begun and not ended.
type frame struct {
	el      *etree.Element
	name    string // as written, for the end tag
	space   string // its namespace
	rebound int    // how many bindings to keep when it ends

	hasText, hasComment, hasElement bool
}

// The limits of the guard. Each is several times what real providers send.
const (
	maxDepth      = 24
	maxElements   = 12_000
	maxNodes      = 40_000  // elements and pieces of text
	maxAttributes = 24      // of one element
	maxAttributed = 40_000  // attributes in all
	maxPrefixes   = 64      // distinct ones
	maxBindings   = 150_000 // elements times prefixes: goxmldsig copies the prefixes for each element
	maxName       = 128     // bytes of a name
	maxAttribute  = 8_192   // bytes of an attribute's value
)

// The namespaces that matter to us.
const (
	protocolSpace   = "urn:oasis:names:tc:SAML:2.0:protocol"
	assertionSpace  = "urn:oasis:names:tc:SAML:2.0:assertion"
	signatureSpace  = "http://www.w3.org/2000/09/xmldsig#"
	encryptionSpace = "http://www.w3.org/2001/04/xmlenc#"
	exclusiveSpace  = "http://www.w3.org/2001/10/xml-exc-c14n#"
	instanceSpace   = "http://www.w3.org/2001/XMLSchema-instance"
	xmlSpace        = "http://www.w3.org/XML/1998/namespace"
	xmlnsSpace      = "http://www.w3.org/2000/xmlns/"
)

var declaration = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')` +
	`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"(?i:utf-8)"|'(?i:utf-8)'))?` +
	`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>`)

// parse reads a message. Scope holds the namespaces that it inherits, by prefix: those that
// are in scope where decrypted XML stood; none for a document.
func parse(message []byte, scope map[string]string, g *guard) (*etree.Element, *Refusal) {
	if len(message) > MaxMessage {
		return nil, refuse(TooLarge, "the message has %d bytes, and may have %d", len(message), MaxMessage)
	}
	message = bytes.TrimPrefix(message, []byte("\xEF\xBB\xBF"))
	if refusal := characters(message); refusal != nil {
		return nil, refusal
	}
	p := &parser{text: string(message), guard: g, prefixes: map[string]int{}}
	p.bind("xml", xmlSpace)
	for prefix, space := range scope {
		p.bind(prefix, space)
	}
	if strings.HasPrefix(p.text, "<?xml") {
		found := declaration.FindString(p.text)
		if found == "" {
			return nil, refuse(Malformed, "the XML declaration %s is not of XML 1.0 in UTF-8", quote(p.text[:min(len(p.text), 60)]))
		}
		p.at = len(found)
	}
	return p.document()
}

// characters refuses what XML may not contain (section 2.2), anywhere in the message.
func characters(message []byte) *Refusal {
	if !utf8.Valid(message) {
		return refuse(Malformed, "the message is not UTF-8")
	}
	for i, b := range message {
		if b < ' ' && b != '\n' && b != '\t' && b != '\r' {
			return refuse(Malformed, "the message has the character U+%04X at byte %d", b, i)
		}
	}
	if bytes.Contains(message, []byte("\uFFFE")) || bytes.Contains(message, []byte("\uFFFF")) {
		return refuse(Malformed, "the message has a character that XML does not allow")
	}
	return nil
}

func (p *parser) malformed(format string, args ...any) *Refusal {
	refusal := refuse(Malformed, format, args...)
	refusal.Detail += " (at byte " + strconv.Itoa(p.at) + ")"
	return refusal
}

// document reads one element, and white space and comments around it.
func (p *parser) document() (*etree.Element, *Refusal) {
	var root *etree.Element
	for {
		outside := len(p.open) == 0
		start := strings.IndexByte(p.text[p.at:], '<')
		if start < 0 {
			switch {
			case !outside:
				return nil, p.malformed("the element %s does not end", quote(p.open[len(p.open)-1].name))
			case root == nil:
				return nil, p.malformed("the message has no XML element")
			case !blank(p.text[p.at:]):
				return nil, p.malformed("the message has text after its root element")
			}
			return root, nil
		}
		if start > 0 {
			text := p.text[p.at : p.at+start]
			p.at += start
			if outside && !blank(text) {
				return nil, p.malformed("the message has text outside of its root element")
			} else if !outside {
				if refusal := p.characterData(text); refusal != nil {
					return nil, refusal
				}
			}
		}
		rest := p.text[p.at:]
		var refusal *Refusal
		switch {
		case strings.HasPrefix(rest, "</"):
			refusal = p.end()
		case strings.HasPrefix(rest, "<!--"):
			refusal = p.comment()
		case strings.HasPrefix(rest, "<![CDATA[") && !outside:
			refusal = p.cdata()
		case strings.HasPrefix(rest, "<!"):
			refusal = refuse(Doctype, "the message has a document type or another declaration: %s", quote(rest[:min(len(rest), 40)]))
		case strings.HasPrefix(rest, "<?"):
			refusal = p.malformed("the message has a processing instruction")
		case outside && root != nil:
			refusal = p.malformed("the message has a second root element")
		default:
			var el *etree.Element
			if el, refusal = p.begin(); root == nil {
				root = el
			}
		}
		if refusal != nil {
			return nil, refusal
		}
	}
}

// node counts what was added to the tree.
func (p *parser) node() *Refusal {
	if p.nodes++; p.nodes > maxNodes {
		return refuse(TooLarge, "the message has more than %d elements and pieces of text", maxNodes)
	}
	return nil
}

// characterData adds text to the element that is open.
func (p *parser) characterData(raw string) *Refusal {
	if strings.Contains(raw, "]]>") {
		return p.malformed("the message has ]]> in text")
	}
	text, refusal := p.unescape(raw, false)
	if refusal != nil {
		return refusal
	}
	return p.add(text)
}

func (p *parser) add(text string) *Refusal {
	if refusal := p.node(); refusal != nil || text == "" {
		return refusal
	}
	top := &p.open[len(p.open)-1]
	if !top.hasText && !blank(text) {
		top.hasText = true
	}
	top.el.CreateText(text)
	return nil
}

// cdata adds the text of a CDATA section.
func (p *parser) cdata() *Refusal {
	const before = len("<![CDATA[")
	length := strings.Index(p.text[p.at+before:], "]]>")
	if length < 0 {
		return p.malformed("a CDATA section does not end")
	}
	text := p.text[p.at+before : p.at+before+length]
	p.at += before + length + len("]]>")
	return p.add(lines(text))
}

// comment leaves a comment out. Where the element that it stands in ends, it is refused if
// that has a value.
func (p *parser) comment() *Refusal {
	const before = len("<!--")
	length := strings.Index(p.text[p.at+before:], "--")
	if length < 0 || !strings.HasPrefix(p.text[p.at+before+length:], "-->") {
		return p.malformed("a comment does not end, or has -- in it")
	}
	p.at += before + length + len("-->")
	if len(p.open) > 0 {
		p.open[len(p.open)-1].hasComment = true
	}
	return p.node()
}

// end ends the element that is open.
func (p *parser) end() *Refusal {
	p.at += len("</")
	length := strings.IndexByte(p.text[p.at:], '>')
	if length < 0 || len(p.open) == 0 {
		return p.malformed("an end tag stands alone")
	}
	name := strings.TrimRight(p.text[p.at:p.at+length], " \t\r\n")
	if top := p.open[len(p.open)-1]; name != top.name {
		return p.malformed("the element %s ends as %s", quote(top.name), quote(name))
	}
	p.at += length + 1
	return p.close()
}

func (p *parser) close() *Refusal {
	top := p.open[len(p.open)-1]
	if top.hasComment && (top.hasText || !top.hasElement) {
		return p.malformed("the value of %s has a comment in it", quote(top.name))
	}
	for len(p.rebound) > top.rebound {
		last := p.rebound[len(p.rebound)-1]
		p.spaces[last.prefix] = last.space
		p.rebound = p.rebound[:len(p.rebound)-1]
	}
	p.open = p.open[:len(p.open)-1]
	return nil
}

// blank reports whether a text is white space.
func blank(text string) bool {
	for i := range len(text) {
		if c := text[i]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// lines makes every line break a line feed (section 2.11).
func lines(text string) string {
	if strings.IndexByte(text, '\r') < 0 {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}
