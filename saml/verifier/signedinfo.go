package verifier

import (
	"crypto/x509"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// The algorithms that a signature may name, besides methods and digests.
const (
	enveloped               = string(dsig.EnvelopedSignatureAltorithmId)
	exclusive               = string(dsig.CanonicalXML10ExclusiveAlgorithmId)
	exclusiveWithComments   = string(dsig.CanonicalXML10ExclusiveWithCommentsAlgorithmId)
	maxInclusivePrefixBytes = 1024
)

// inspect refuses a Signature that is not exactly of the shape that SAML prescribes (core,
// section 5.4), before goxmldsig, which is more lenient, sees it:
//
//	Signature
//	  SignedInfo
//	    CanonicalizationMethod   exclusive
//	    SignatureMethod          one of methods
//	    Reference                exactly one, to the ID of the parent
//	      Transforms             enveloped, then exclusive (PrefixList may be there)
//	      DigestMethod           one of digests
//	      DigestValue
//	  SignatureValue
//	  KeyInfo                    perhaps; never read
//
// Two References once let a forged identity pass (CVE-2026-33487). Canonicalization "with
// comments" is accepted, but what is canonicalized has no comments, so that a signature over
// some does not verify.
func inspect(sig *etree.Element, id string) (x509.SignatureAlgorithm, *Refusal) {
	if !identifier(id) {
		return 0, refuse(Malformed, "%s is not an ID that a signature can refer to", quote(id))
	}
	parts, refusal := shape(sig, "SignedInfo", "SignatureValue", "KeyInfo?")
	if refusal != nil {
		return 0, refusal
	}
	if v, ok := value(parts[1]); !ok || blank(v) {
		return 0, refuse(BadSignature, "the SignatureValue is empty, or not only text")
	}
	info, refusal := shape(parts[0], "CanonicalizationMethod", "SignatureMethod", "Reference")
	if refusal != nil {
		return 0, refusal
	}
	canonicalization, refusal := algorithm(info[0])
	if refusal != nil {
		return 0, refusal
	}
	// goxmldsig does not honour a PrefixList here; nobody is known to send one.
	if canonicalization != exclusive && canonicalization != exclusiveWithComments || len(info[0].ChildElements()) > 0 {
		return 0, refuse(BadAlgorithm, "the canonicalization of SignedInfo is %s, not exclusive", quote(canonicalization))
	}
	named, refusal := algorithm(info[1])
	if refusal != nil {
		return 0, refusal
	}
	method, ok := methods[named]
	if !ok || len(info[1].ChildElements()) > 0 {
		return 0, refuse(BadAlgorithm, "the signature algorithm %s is not accepted", quote(named))
	}
	return method, inspectReference(info[2], id)
}

func inspectReference(reference *etree.Element, id string) *Refusal {
	if uri := text(reference, "URI"); uri != "#"+id {
		return refuse(BadSignature, "the signature refers to %s, not to its parent %s", quote(uri), quote("#"+id))
	}
	parts, refusal := shape(reference, "Transforms", "DigestMethod", "DigestValue")
	if refusal != nil {
		return refusal
	}
	digest, refusal := algorithm(parts[1])
	if refusal != nil {
		return refusal
	}
	if !digests[digest] || len(parts[1].ChildElements()) > 0 {
		return refuse(BadAlgorithm, "the digest algorithm %s is not accepted", quote(digest))
	}
	if _, ok := value(parts[2]); !ok {
		return refuse(BadSignature, "the DigestValue is not only text")
	}
	transforms, refusal := shape(parts[0], "Transform", "Transform")
	if refusal != nil {
		return refusal
	}
	first, refusal := algorithm(transforms[0])
	if refusal != nil {
		return refusal
	}
	second, refusal := algorithm(transforms[1])
	if refusal != nil {
		return refusal
	}
	if first != enveloped || len(transforms[0].ChildElements()) > 0 || second != exclusive && second != exclusiveWithComments {
		return refuse(BadAlgorithm, "the transforms are %s and %s, not enveloped-signature and exclusive canonicalization", quote(first), quote(second))
	}
	return inclusive(transforms[1])
}

// inclusive accepts nothing or one InclusiveNamespaces in a Transform.
func inclusive(transform *etree.Element) *Refusal {
	switch inner := transform.ChildElements(); {
	case len(inner) == 0:
		return nil
	case len(inner) == 1 && is(inner[0], name{exclusiveSpace, "InclusiveNamespaces"}) && len(inner[0].Child) == 0:
		if refusal := attributes(inner[0], "PrefixList"); refusal != nil {
			return refusal
		}
		if len(text(inner[0], "PrefixList")) <= maxInclusivePrefixBytes {
			return nil
		}
	}
	return refuse(BadAlgorithm, "the canonicalization has other parameters than InclusiveNamespaces")
}

// shape returns the children of an element of XML Signature, which must be the given ones in
// that order; a name with "?" may be missing, and is nil then. Attributes are only allowed
// where they have a meaning.
func shape(el *etree.Element, names ...string) ([]*etree.Element, *Refusal) {
	allowed := "Id"
	if el.Tag == "Reference" {
		allowed = "Id URI Type"
	}
	if refusal := attributes(el, allowed); refusal != nil {
		return nil, refusal
	}
	found := make([]*etree.Element, len(names))
	next := 0
	for _, token := range el.Child {
		if data, ok := token.(*etree.CharData); ok && blank(data.Data) {
			continue
		}
		child, ok := token.(*etree.Element)
		if !ok || next == len(names) || !is(child, name{signatureSpace, strings.TrimSuffix(names[next], "?")}) {
			return nil, refuse(BadSignature, "the %s of the signature has other parts than %s", el.Tag, strings.Join(names, ", "))
		}
		found[next] = child
		next++
	}
	if next < len(names) && !(next == len(names)-1 && strings.HasSuffix(names[next], "?")) {
		return nil, refuse(BadSignature, "the %s of the signature has other parts than %s", el.Tag, strings.Join(names, ", "))
	}
	return found, nil
}

// algorithm returns the Algorithm of an element, which must have no other attribute and no
// text.
func algorithm(el *etree.Element) (string, *Refusal) {
	if refusal := attributes(el, "Algorithm"); refusal != nil {
		return "", refusal
	}
	for _, token := range el.Child {
		if data, ok := token.(*etree.CharData); ok && !blank(data.Data) {
			return "", refuse(BadSignature, "the %s of the signature has text in it", el.Tag)
		}
	}
	return text(el, "Algorithm"), nil
}

// attributes refuses an element that has attributes beyond the allowed ones. Those with a
// prefix matter too: encoding/xml, with which goxmldsig reads SignedInfo, takes them for
// those without.
func attributes(el *etree.Element, allowed string) *Refusal {
	for i := range el.Attr {
		a := &el.Attr[i]
		if a.Space == "xmlns" || a.Space == "" && (a.Key == "xmlns" || strings.Contains(" "+allowed+" ", " "+a.Key+" ")) {
			continue
		}
		return refuse(BadSignature, "the %s of the signature has the attribute %s", el.Tag, quote(a.FullKey()))
	}
	return nil
}

// identifier reports whether a text is usable as an ID. XML wants it to begin with a letter;
// some providers begin with a digit.
func identifier(id string) bool {
	for i := range len(id) {
		c := id[i]
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.') {
			return false
		}
	}
	return id != "" && len(id) <= 256
}
