package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	filter "github.com/scim2/filter-parser/v2"
)

const (
	maxFilter  = 8 << 10 // bytes
	maxNesting = 20      // of parentheses and brackets
)

// parseFilter reads a filter, RFC 7644 §3.4.2.2, into the tree of filter-parser.
//
// The tree is the library's and the reading is ours, because the library's overflows
// the stack on nested parentheses, takes about 60 µs a clause, leaves the escapes in
// strings, and refuses a value path of three clauses, or one of whose element a value is
// compared. Where both accept a filter the trees are equal, which a fuzz test holds.
// Numbers are json.Number.
//
// The error is a phrase for the caller to put behind the name of what was parsed.
func parseFilter(s string) (filter.Expression, error) {
	p, err := newFilterParser(s)
	if err != nil {
		return nil, err
	}
	e, err := p.or()
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// parsePath reads the path of a PATCH operation, RFC 7644 §3.5.2, likewise.
func parsePath(s string) (filter.Path, error) {
	p, err := newFilterParser(s)
	if err != nil {
		return filter.Path{}, err
	}
	p.spaces()
	var path filter.Path
	if path.AttributePath, err = p.attributePath(); err != nil {
		return filter.Path{}, err
	}
	if p.spaces(); p.take('[') {
		if path.ValueExpression, err = p.brackets(); err != nil {
			return filter.Path{}, err
		}
		if p.take('.') {
			sub := p.word()
			if !isAttributeName(sub) {
				return filter.Path{}, p.errorf("expected the name of a sub-attribute")
			}
			path.SubAttribute = &sub
		}
	}
	return path, p.end()
}

type filterParser struct {
	s       string
	at      int
	depth   int
	element bool // inside the brackets of a value path
}

func newFilterParser(s string) (*filterParser, error) {
	if len(s) > maxFilter {
		return nil, fmt.Errorf("it is longer than %d bytes", maxFilter)
	}
	if strings.IndexByte(s, 0) >= 0 {
		return nil, errors.New("it contains the character U+0000")
	}
	return &filterParser{s: s}, nil
}

func (p *filterParser) errorf(format string, args ...any) error {
	return fmt.Errorf("at character %d: %s", p.at+1, fmt.Sprintf(format, args...))
}

func (p *filterParser) spaces() int {
	start := p.at
	for p.at < len(p.s) && p.s[p.at] == ' ' {
		p.at++
	}
	return p.at - start
}

func (p *filterParser) take(c byte) bool {
	if p.at < len(p.s) && p.s[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *filterParser) end() error {
	if p.spaces(); p.at < len(p.s) {
		return p.errorf("unexpected %s", quote(p.s[p.at:]))
	}
	return nil
}

// word takes a run of the characters that names, paths and keywords are made of.
func (p *filterParser) word() string {
	start := p.at
	for p.at < len(p.s) && isWordByte(p.s[p.at]) {
		p.at++
	}
	return p.s[start:p.at]
}

func isWordByte(c byte) bool {
	return isAlpha(c) || c >= '0' && c <= '9' || c == '.' || c == ':' || c == '_' || c == '-' || c == '$'
}

func isAlpha(c byte) bool { c |= 0x20; return c >= 'a' && c <= 'z' }

// isAttributeName reports whether s is an ATTRNAME of RFC 7643 §2.1, "$ref" included.
func isAttributeName(s string) bool {
	s = strings.TrimPrefix(s, "$")
	if s == "" || !isAlpha(s[0]) {
		return false
	}
	return !strings.ContainsAny(s, ".:$")
}

// keyword takes " word " when that comes next. Inside brackets the space in front
// may be missing, as the library has it.
func (p *filterParser) keyword(word string) bool {
	start := p.at
	spaces := p.spaces()
	end := p.at + len(word)
	if (spaces > 0 || p.element) && end < len(p.s) && strings.EqualFold(p.s[p.at:end], word) && p.s[end] == ' ' {
		p.at = end
		p.spaces()
		return true
	}
	p.at = start
	return false
}

func (p *filterParser) or() (filter.Expression, error)  { return p.chain("or", filter.OR, p.and) }
func (p *filterParser) and() (filter.Expression, error) { return p.chain("and", filter.AND, p.term) }

func (p *filterParser) chain(word string, operator filter.LogicalOperator, operand func() (filter.Expression, error)) (filter.Expression, error) {
	left, err := operand()
	for err == nil && p.keyword(word) {
		var right filter.Expression
		if right, err = operand(); err == nil {
			left = &filter.LogicalExpression{Left: left, Right: right, Operator: operator}
		}
	}
	return left, err
}

func (p *filterParser) term() (filter.Expression, error) {
	p.spaces()
	if p.take('(') {
		return p.parentheses()
	}
	start := p.at
	if word := p.word(); strings.EqualFold(word, "not") {
		if p.spaces(); p.take('(') {
			e, err := p.parentheses()
			if err != nil {
				return nil, err
			}
			return &filter.NotExpression{Expression: e}, nil
		}
	}
	p.at = start
	path, err := p.attributePath()
	if err != nil {
		return nil, err
	}
	spaces := p.spaces()
	if !p.element && p.take('[') {
		e, err := p.brackets()
		if err != nil {
			return nil, err
		}
		if p.take('.') {
			if e, err = p.valueOfElement(e); err != nil {
				return nil, err
			}
		}
		return &filter.ValuePath{AttributePath: path, ValueFilter: e}, nil
	}
	if spaces == 0 {
		return nil, p.errorf("expected an operator after %s", quote(path.String()))
	}
	return p.comparison(path)
}

// valueOfElement takes the rest of emails[type eq "work"].value eq "…", which the
// grammar of RFC 7644 does not have. Entra asks so for who has an address. It means an
// element that satisfies both.
func (p *filterParser) valueOfElement(e filter.Expression) (filter.Expression, error) {
	sub := p.word()
	if !isAttributeName(sub) || p.spaces() == 0 {
		return nil, p.errorf("expected the name of a sub-attribute and an operator")
	}
	value, err := p.comparison(filter.AttributePath{AttributeName: sub})
	if err != nil {
		return nil, err
	}
	return &filter.LogicalExpression{Left: e, Right: value, Operator: filter.AND}, nil
}

func (p *filterParser) deeper() error {
	if p.depth++; p.depth > maxNesting {
		return p.errorf("it nests deeper than %d", maxNesting)
	}
	return nil
}

func (p *filterParser) parentheses() (filter.Expression, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.spaces(); !p.take(')') {
		return nil, p.errorf("expected )")
	}
	p.depth--
	return e, nil
}

func (p *filterParser) brackets() (filter.Expression, error) {
	if err := p.deeper(); err != nil {
		return nil, err
	}
	p.element = true
	e, err := p.or()
	p.element = false
	if err != nil {
		return nil, err
	}
	if p.spaces(); !p.take(']') {
		return nil, p.errorf("expected ]")
	}
	p.depth--
	return e, nil
}

// attributePath takes [URN ":"] name ["." sub-attribute]. A URN alone reads as a
// path too: what follows its last colon is then taken for the name.
func (p *filterParser) attributePath() (filter.AttributePath, error) {
	start := p.at
	rest := p.word()
	var path filter.AttributePath
	if colon := strings.LastIndexByte(rest, ':'); colon >= 0 {
		uri := rest[:colon]
		if uri == "" || uri[0] == ':' || strings.HasSuffix(uri, ":") || strings.Contains(uri, "::") || strings.Contains(uri, "$") {
			p.at = start
			return path, p.errorf("malformed schema URN in %s", quote(rest))
		}
		path.URIPrefix = &uri
		rest = rest[colon+1:]
	}
	name, sub, dotted := strings.Cut(rest, ".")
	if !isAttributeName(name) || dotted && !isAttributeName(sub) {
		p.at = start
		return path, p.errorf("expected the name of an attribute")
	}
	path.AttributeName = name
	if dotted {
		path.SubAttribute = &sub
	}
	return path, nil
}

func (p *filterParser) comparison(path filter.AttributePath) (filter.Expression, error) {
	start := p.at
	operator := filter.CompareOperator(strings.ToLower(p.word()))
	switch operator {
	case filter.PR:
		return &filter.AttributeExpression{AttributePath: path, Operator: filter.PR}, nil
	case filter.EQ, filter.NE, filter.CO, filter.SW, filter.EW, filter.GT, filter.GE, filter.LT, filter.LE:
	default:
		p.at = start
		return nil, p.errorf("expected an operator after %s", quote(path.String()))
	}
	if p.spaces() == 0 {
		return nil, p.errorf("expected a value after %q", operator)
	}
	operand, err := p.operand()
	if err != nil {
		return nil, err
	}
	return &filter.AttributeExpression{AttributePath: path, Operator: operator, CompareValue: operand}, nil
}

// operand takes a string, number, boolean or null.
func (p *filterParser) operand() (any, error) {
	if p.at < len(p.s) && p.s[p.at] == '"' {
		s, next, err := unquote(p.s, p.at)
		p.at = next
		if err != nil {
			return nil, p.errorf("%s", err)
		}
		return s, nil
	}
	if n := numberLength(p.s[p.at:]); n > 0 {
		p.at += n
		return json.Number(strings.ToLower(p.s[p.at-n : p.at])), nil
	}
	start := p.at
	switch word := p.word(); {
	case strings.EqualFold(word, "true"):
		return true, nil
	case strings.EqualFold(word, "false"):
		return false, nil
	case strings.EqualFold(word, "null"):
		return nil, nil
	}
	p.at = start
	return nil, p.errorf("expected a value: a string in double quotes, a number, true, false or null")
}
