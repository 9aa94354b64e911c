package verifier

import (
	"strings"

	"github.com/beevik/etree"
)

// success is the one status of a response with an assertion.
const success = "urn:oasis:names:tc:SAML:2.0:status:Success"

// outer are the checks of the Response around an assertion. They are made before its
// signature is looked at, which spares the work, and again on what was signed.
func (r *run) outer(response *etree.Element, signed bool) *Refusal {
	e := &r.expected
	return r.checks(
		check{"version", func() (string, *Refusal) {
			version := text(response, "Version")
			return version, versionTwo(response)
		}},
		check{"destination", func() (string, *Refusal) {
			return destination(response, e.ACSURL, signed)
		}},
		check{"issuer", func() (string, *Refusal) {
			issuer, refusal := readIssuer(response, signed) // profiles, section 4.1.4.2
			if refusal == nil && issuer != "" && issuer != e.Provider {
				refusal = refuse(BadIssuer, "the Response is from %s, not %s", quote(issuer), quote(e.Provider))
			}
			return issuer, refusal
		}},
		check{"status", func() (string, *Refusal) { return status(response) }},
		check{"in_response_to", func() (string, *Refusal) {
			id, there := attribute(response, "InResponseTo")
			switch {
			case e.RequestID == "" && there:
				return id, refuse(BadInResponseTo, "the Response answers the request %s, but none was made", quote(id))
			case e.RequestID != "" && id != e.RequestID:
				return id, refuse(BadInResponseTo, "the Response answers the request %s, not %s", quote(id), quote(e.RequestID))
			}
			return id, nil
		}},
		check{"issue_instant", func() (string, *Refusal) {
			at, there, refusal := instant(response, "IssueInstant")
			if refusal == nil && !there {
				refusal = refuse(Malformed, "the Response has no IssueInstant")
			}
			if refusal == nil {
				refusal = e.issued(at)
			}
			return text(response, "IssueInstant"), refusal
		}},
	)
}

func versionTwo(el *etree.Element) *Refusal {
	if version := text(el, "Version"); version != "2.0" {
		return refuse(BadVersion, "the %s is of SAML version %s, not 2.0", el.Tag, quote(version))
	}
	return nil
}

// destination judges where a message was sent. A signed one must say (bindings, sections
// 3.4.5.2 and 3.5.5.2).
func destination(el *etree.Element, ours string, signed bool) (string, *Refusal) {
	to, there := attribute(el, "Destination")
	if there && to != ours || !there && signed {
		return to, refuse(BadDestination, "the %s was sent to %s, not %s", el.Tag, quote(to), quote(ours))
	}
	return to, nil
}

// status judges the status. The codes and the message of the provider are the detail, since
// an administrator finds the cause there.
func status(response *etree.Element) (string, *Refusal) {
	el := only(response, protocolSpace, "Status")
	if el == nil {
		return "", refuse(BadStatus, "the Response has not exactly one Status")
	}
	code := only(el, protocolSpace, "StatusCode")
	if code == nil {
		return "", refuse(BadStatus, "the Status has not exactly one StatusCode")
	}
	top := text(code, "Value")
	if top == success {
		return top, nil
	}
	said := []string{quote(top)}
	for inner := only(code, protocolSpace, "StatusCode"); inner != nil; inner = only(inner, protocolSpace, "StatusCode") {
		said = append(said, quote(text(inner, "Value")))
	}
	if message, ok := valueOf(only(el, protocolSpace, "StatusMessage")); ok {
		said = append(said, quote(message))
	}
	return top, refuse(BadStatus, "the provider reports %s", strings.Join(said, ", "))
}
