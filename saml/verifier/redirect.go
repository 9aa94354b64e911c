package verifier

import (
	"bytes"
	"compress/flate"
	"context"
	"io"
	"net/url"
	"strings"
)

// maxQuery bounds the query of the Redirect binding.
const maxQuery = 64 << 10

// maxInflated bounds the XML of the Redirect binding: a LogoutRequest has about 1 KiB.
const maxInflated = 64 << 10

// deflate is the one encoding of the Redirect binding.
const deflate = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"

// VerifyRedirectLogout returns a LogoutRequest that came by the Redirect binding, and its
// RelayState (bindings, section 3.4.4.1). The signature is over the query as it was
// received: rawQuery must be that, not one that was parsed and written again. The error is a
// *Refusal.
func VerifyRedirectLogout(ctx context.Context, rawQuery string, e LogoutExpectation) (*LogoutRequest, string, error) {
	r := &run{}
	var request *LogoutRequest
	var relayState string
	if refusal := r.guarded(ctx, func() *Refusal {
		q, refusal := readQuery(rawQuery)
		if refusal != nil {
			return refusal
		}
		if refusal := r.detached(q, e); refusal != nil {
			return refusal
		}
		message, refusal := inflate(q.values["SAMLRequest"])
		if refusal != nil {
			return refusal
		}
		el, refusal := parse(message, nil, newGuard(logoutName))
		if refusal != nil {
			return refusal
		}
		if signature(el) != nil {
			return refuse(Malformed, "the LogoutRequest is signed inside, which the Redirect binding does not allow")
		}
		relayState = q.values["RelayState"]
		request, refusal = e.judge(el)
		return refusal
	}); refusal != nil {
		return nil, "", refusal
	}
	return request, relayState, nil
}

// query holds the parameters of the Redirect binding: as they were received, which is what
// is signed, and decoded.
type query struct{ raw, values map[string]string }

// readQuery takes a query apart. Each parameter of SAML may come once; others, such as those
// that a proxy adds, are not signed, and ignored.
func readQuery(rawQuery string) (query, *Refusal) {
	if len(rawQuery) > maxQuery {
		return query{}, refuse(TooLarge, "the query has %d bytes, and may have %d", len(rawQuery), maxQuery)
	}
	q := query{map[string]string{}, map[string]string{}}
	for part := range strings.SplitSeq(rawQuery, "&") {
		key, raw, _ := strings.Cut(part, "=")
		// A name that is written with escapes would be another parameter to those who
		// look for it as it is, and the same to those who decode it.
		decodedKey, err := url.QueryUnescape(key)
		if err != nil {
			return query{}, refuse(BadQuery, "the query has the name %s, which is not well-formed", quote(key))
		}
		switch decodedKey {
		case "SAMLRequest", "RelayState", "SigAlg", "Signature", "SAMLEncoding":
		case "SAMLResponse":
			return query{}, refuse(BadQuery, "the query has a SAMLResponse")
		default:
			continue
		}
		if key != decodedKey {
			return query{}, refuse(BadQuery, "the query has the name %s written as %s", decodedKey, quote(key))
		}
		if _, twice := q.raw[key]; twice {
			return query{}, refuse(BadQuery, "the query has %s twice", key)
		}
		value, err := url.QueryUnescape(raw)
		if err != nil {
			return query{}, refuse(BadQuery, "the %s of the query is not well-formed", key)
		}
		q.raw[key], q.values[key] = raw, value
	}
	if q.values["SAMLRequest"] == "" {
		return query{}, refuse(BadQuery, "the query has no SAMLRequest")
	}
	if encoding, there := q.values["SAMLEncoding"]; there && encoding != deflate {
		return query{}, refuse(BadQuery, "the SAMLEncoding is %s, not DEFLATE", quote(encoding))
	}
	return q, nil
}

// signed returns the octets that are signed: the parameters as they were received, in the
// order that the binding prescribes, whatever order they came in.
func (q query) signed() []byte {
	signed := "SAMLRequest=" + q.raw["SAMLRequest"]
	if raw, there := q.raw["RelayState"]; there {
		signed += "&RelayState=" + raw
	}
	return []byte(signed + "&SigAlg=" + q.raw["SigAlg"])
}

// detached verifies the signature of a query.
func (r *run) detached(q query, e LogoutExpectation) *Refusal {
	if q.values["Signature"] == "" || q.values["SigAlg"] == "" {
		return refuse(Unsigned, "the query has no Signature or no SigAlg")
	}
	method, ok := methods[q.values["SigAlg"]]
	if !ok {
		return refuse(BadAlgorithm, "the signature algorithm %s is not accepted", quote(q.values["SigAlg"]))
	}
	raw, err := decodeBase64(q.values["Signature"])
	if err != nil {
		return refuse(BadSignature, "the Signature of the query is not Base64")
	}
	tried := false // with a key that fits
	refusal := refuse(BadSignature, "no certificate of the provider is known")
	for _, cert := range e.Certificates {
		if weak := fits(cert, method); weak != nil {
			if !tried {
				refusal = weak
			}
			continue
		}
		if cert.CheckSignature(method, q.signed(), encode(raw, cert)) == nil {
			r.by = cert
			return nil
		}
		tried = true
		refusal = refuse(BadSignature, "none of the %d certificates of the provider verifies the signature of the query", len(e.Certificates))
	}
	return refusal
}

// inflate returns the XML of a SAMLRequest, however little it was made of.
func inflate(value string) ([]byte, *Refusal) {
	packed, err := decodeBase64(value)
	if err != nil {
		return nil, refuse(Malformed, "the SAMLRequest is not Base64: %v", err)
	}
	reader := flate.NewReader(bytes.NewReader(packed))
	message, err := io.ReadAll(io.LimitReader(reader, maxInflated+1))
	switch {
	case len(message) > maxInflated:
		return nil, refuse(TooLarge, "the SAMLRequest has more than %d bytes when inflated", maxInflated)
	case err != nil:
		return nil, refuse(Malformed, "the SAMLRequest is not DEFLATE: %v", err)
	}
	return message, nil
}
