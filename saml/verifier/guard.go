package verifier

import "strings"

// guard decides what may be where in a message, while it is being read: before any signature
// is looked at, so that no later step meets a message whose shape it was not written for.
//
//	element                               where, how often
//	the root                              the expected one: Response, LogoutRequest, Assertion
//	Assertion, EncryptedAssertion         child of Response (or the root); exactly one in all
//	Signature                             child of the root or of the Assertion; at most one each
//	Response, LogoutRequest, …            nowhere else
//	ID, Id, id, xml:id                    each value once
//	prefix:ID                             refused: goxmldsig would take it for ID
//	these names in another namespace      refused: somebody may compare local names only
type guard struct {
	root name // that the message must have

	ids        map[string]struct{}
	assertions int
	signed     map[int]bool // by depth of the parent, whether it has a Signature
}

// name is the name of an element: its namespace and local name.
type name struct{ space, tag string }

var (
	responseName  = name{protocolSpace, "Response"}
	logoutName    = name{protocolSpace, "LogoutRequest"}
	assertionName = name{assertionSpace, "Assertion"}
	encryptedName = name{assertionSpace, "EncryptedAssertion"}
	signatureName = name{signatureSpace, "Signature"}
)

func newGuard(root name) *guard {
	return &guard{root: root, ids: map[string]struct{}{}, signed: map[int]bool{}}
}

// element judges the last element of those that are open.
func (g *guard) element(open []frame) *Refusal {
	top := &open[len(open)-1]
	this := name{top.space, top.el.Tag}
	if len(open) == 1 && this != g.root {
		return refuse(Malformed, "the message is %s, not %s", quote("{"+this.space+"}"+this.tag), g.root.tag)
	}
	if refusal := g.identify(top); refusal != nil {
		return refusal
	}
	for _, known := range [...]name{assertionName, encryptedName, signatureName} {
		if this.tag == known.tag && this.space != known.space {
			return refuse(Malformed, "the message has an element %s of the namespace %s", this.tag, quote(this.space))
		}
	}
	switch this {
	case assertionName, encryptedName:
		if g.assertions++; g.assertions > 1 {
			return refuse(Malformed, "the message has more than one Assertion or EncryptedAssertion")
		}
		if len(open) > 1 && (len(open) != 2 || g.root != responseName) {
			return refuse(Malformed, "the message has an %s where none may be", this.tag)
		}
	case signatureName:
		if len(open) < 2 || !g.signable(open[len(open)-2]) {
			return refuse(Malformed, "the message has a Signature where none may be")
		}
		if g.signed[len(open)] {
			return refuse(Malformed, "%s has more than one Signature", open[len(open)-2].el.Tag)
		}
		g.signed[len(open)] = true
	case responseName, logoutName:
		if len(open) > 1 {
			return refuse(Malformed, "the message has another %s in it", this.tag)
		}
	}
	return nil
}

// signable reports whether an element may have a Signature. There is at most one of each of
// these in a message, so that depth tells them apart.
func (g *guard) signable(parent frame) bool {
	this := name{parent.space, parent.el.Tag}
	return this == g.root || this == assertionName
}

// identify remembers the IDs of an element.
func (g *guard) identify(top *frame) *Refusal {
	for i := range top.el.Attr {
		attribute := &top.el.Attr[i]
		if len(attribute.Key) != 2 || !strings.EqualFold(attribute.Key, "id") || attribute.Space == "xmlns" {
			continue
		}
		if attribute.Space != "" && attribute.Space != "xml" {
			return refuse(Malformed, "the element %s has the ID %s with a prefix", quote(top.name), quote(attribute.FullKey()))
		}
		if _, taken := g.ids[attribute.Value]; taken {
			return refuse(DuplicateID, "two elements have the ID %s", quote(attribute.Value))
		}
		g.ids[attribute.Value] = struct{}{}
	}
	return nil
}

// complete judges the message as a whole.
func (g *guard) complete() *Refusal {
	if g.root != logoutName && g.assertions == 0 {
		return refuse(Malformed, "the message has no Assertion")
	}
	return nil
}
