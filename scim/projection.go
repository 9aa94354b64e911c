package scim

import (
	"bytes"
	"slices"
	"strings"
)

// projection is what a client asked to see, RFC 7644 §3.9. The zero projection is
// everything. The schemas and the id are always shown.
type projection struct {
	of       *resourceType
	limited  bool // attributes was given: only what is included
	included []target
	excluded []target
}

// newProjection reads the query parameters attributes and excludedAttributes: lists
// of names separated by commas, dotted and with URN if need be. An empty list is no
// list; names that are not known select nothing.
func newProjection(rt *resourceType, attributes, excluded string) projection {
	p := projection{of: rt, limited: strings.Trim(attributes, ", ") != ""}
	p.included = targets(rt, attributes)
	p.excluded = targets(rt, excluded)
	return p
}

func targets(rt *resourceType, list string) []target {
	var out []target
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if t, err := rt.target(name); err == nil && t.where == nil && len(out) < maxIgnored {
			out = append(out, t)
		}
	}
	return out
}

// everything reports whether nothing is left out.
func (p projection) everything() bool { return !p.limited && len(p.excluded) == 0 }

// shows reports whether a top-level attribute, by its exact name, is shown at least
// in part. For those that are not part of the stored resource: meta, groups, members.
func (p projection) shows(name string) bool {
	a := p.of.attributes.find(name)
	return p.wants(nil, a, nil) || p.wantsPart(a)
}

// asksFor reports whether the attribute was asked for by name.
func (p projection) asksFor(name string) bool { return p.limited && p.shows(name) }

// wants reports whether an attribute, or its sub-attribute, is shown: it is included
// and not excluded as a whole, unless its schema says always or never; what is shown
// on request only must be named itself, not just the extension or attribute around it.
func (p projection) wants(extension, a, sub *attribute) bool {
	narrowest := a
	if sub != nil {
		narrowest = sub
	}
	switch {
	case a.returned == never || narrowest.returned == never:
		return false
	case a.returned == onRequest && !p.names(extension, a, nil) && !p.names(extension, a, sub),
		narrowest.returned == onRequest && !p.names(extension, a, sub):
		return false
	case a.returned == always || narrowest.returned == always:
		return true
	}
	covers := func(t target) bool {
		switch {
		case t.extension == nil && t.attr.extension:
			return t.attr == extension || t.attr == a
		case t.extension != extension || t.attr != a:
			return false
		}
		return t.sub == nil || t.sub == sub
	}
	for _, t := range p.excluded {
		if covers(t) {
			return false
		}
	}
	if !p.limited {
		return true
	}
	for _, t := range p.included {
		if covers(t) {
			return true
		}
	}
	return false
}

// names reports whether just this attribute, or sub-attribute, was included by name.
func (p projection) names(extension, a, sub *attribute) bool {
	return slices.ContainsFunc(p.included, func(t target) bool {
		return t.extension == extension && t.attr == a && t.sub == sub
	})
}

// wantsPart reports whether something inside the top-level attribute a was included.
func (p projection) wantsPart(a *attribute) bool {
	for _, t := range p.included {
		if t.extension == a || t.extension == nil && t.attr == a && t.sub != nil {
			return true
		}
	}
	return false
}

// appendResource appends the stored resource as far as it is shown, without its
// closing brace: {"schemas":[…],…
func (p projection) appendResource(b []byte, document []byte) ([]byte, error) {
	if p.everything() && p.of.isPlain(document) {
		return append(b, document[:len(document)-1]...), nil
	}
	r, err := p.of.decode(document)
	if err != nil {
		return b, err
	}
	for i := range r.nodes {
		p.prune(nil, p.of.attributes.list[i], &r.nodes[i])
	}
	document = r.encode()
	return append(b, document[:len(document)-1]...), nil
}

// isPlain reports whether a stored resource has no extension but those of SCIM, by the
// schemas that it begins with: then nothing in it can have become unknown, or be shown
// in part only, and its bytes are its answer.
func (rt *resourceType) isPlain(document []byte) bool {
	return slices.ContainsFunc(rt.plain, func(start []byte) bool { return bytes.HasPrefix(document, start) })
}

// prune unsets what is not shown of the attribute a.
func (p projection) prune(extension, a *attribute, n *node) {
	switch {
	case !n.set:
	case a.extension:
		for i := range n.parts {
			p.prune(a, a.subs.list[i], &n.parts[i])
		}
		n.set = !a.empty(n)
	case a.kind != complexKind:
		if !p.wants(extension, a, nil) {
			*n = node{}
		}
	case !a.multi:
		p.pruneSubs(extension, a, n)
		n.set = !a.empty(n)
	default:
		kept := n.parts[:0]
		for _, e := range n.parts {
			if p.pruneSubs(extension, a, &e); !a.empty(&e) {
				kept = append(kept, e)
			}
		}
		n.parts, n.set = kept, len(kept) > 0
	}
}

func (p projection) pruneSubs(extension, a *attribute, n *node) {
	for i, sub := range a.subs.list {
		if !p.wants(extension, a, sub) {
			n.parts[i] = node{}
		}
	}
}
