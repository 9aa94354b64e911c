package verifier

import "fmt"

// Code is a short, stable word for why a message was refused.
type Code string

// The codes, in about the order in which the checks are made.
const (
	Malformed        Code = "malformed"       // not the XML, or not the message, that it should be
	TooLarge         Code = "too_large"       // over a limit of the guard
	Doctype          Code = "doctype"         // has a document type
	DuplicateID      Code = "duplicate_id"    // two elements share an ID
	BadVersion       Code = "version"         // not SAML 2.0
	BadStatus        Code = "status"          // the provider reports a failure; Detail has its status
	BadDestination   Code = "destination"     // meant for another address
	BadIssuer        Code = "issuer"          // from another provider
	BadInResponseTo  Code = "in_response_to"  // answers another request, or none, or any
	BadIssueInstant  Code = "issue_instant"   // made too long ago, or in the future
	Unsigned         Code = "unsigned"        // what should be signed is not
	BadSignature     Code = "signature"       // a signature that no pinned key verifies
	BadAlgorithm     Code = "algorithm"       // an algorithm or a key that is not accepted
	BadDecryption    Code = "decryption"      // one code for every failure to decrypt
	BadSubject       Code = "subject"         // not exactly one subject
	BadNameID        Code = "name_id"         // not exactly one usable NameID
	BadConfirmation  Code = "confirmation"    // no bearer confirmation that fits
	BadConditions    Code = "conditions"      // not exactly one Conditions, or one that we do not know
	BadAudience      Code = "audience"        // meant for another service
	Expired          Code = "expired"         // its time is over
	NotYetValid      Code = "not_yet_valid"   // its time has not come
	BadAuthn         Code = "authn_statement" // no statement of how and when the person signed in, or too old
	BadAuthnContext  Code = "authn_context"   // signed in by other means than those asked for
	BadSecondOpinion Code = "second_opinion"  // we accept it, the library does not
	Internal         Code = "internal"        // a recovered panic, counted by Panics
	Busy             Code = "busy"            // no slot before the context ended
	BadQuery         Code = "query"           // the parameters of the Redirect binding
)

// Refusal is why a message was refused. Every error of this package is one.
type Refusal struct {
	Code Code
	// Detail is for administrators: it names the offending value. A person who signs in
	// must never see it.
	Detail string
	// Authentic says that a signature of the provider had verified before: the refusal
	// is then about the provider or its settings, and not about a stranger's message.
	Authentic bool
}

func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Detail }

// refuse makes a refusal. Values in it that come from the message go through quote.
func refuse(code Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// maxQuoted bounds what a detail repeats of one value of a message.
const maxQuoted = 200

// quote returns a value of a message as a detail may show it: quoted, escaped and short.
func quote(value string) string {
	if len(value) > maxQuoted {
		return fmt.Sprintf("%q…", value[:maxQuoted])
	}
	return fmt.Sprintf("%q", value)
}
