package verifier

import (
	"encoding/base64"
	"strings"
)

// MaxMessage bounds a message: its XML, and what was encrypted in it.
const MaxMessage = 1 << 20

// Decode returns the XML of the form parameter SAMLResponse or SAMLRequest (bindings,
// section 3.5.4). White space in the Base64 is tolerated, since providers wrap lines;
// nothing else is: not the URL alphabet, not missing padding, not bits after the end.
func Decode(value string) ([]byte, error) {
	if len(value) > MaxMessage*3/2 {
		return nil, refuse(TooLarge, "the message has %d bytes of Base64, and may have %d bytes of XML", len(value), MaxMessage)
	}
	decoded, err := decodeBase64(value)
	switch {
	case err != nil:
		return nil, refuse(Malformed, "the message is not Base64: %v", err)
	case len(decoded) == 0:
		return nil, refuse(Malformed, "the message is empty")
	case len(decoded) > MaxMessage:
		return nil, refuse(TooLarge, "the message has %d bytes, and may have %d", len(decoded), MaxMessage)
	}
	return decoded, nil
}

// decodeBase64 decodes strictly, save for white space (XML Schema, base64Binary).
func decodeBase64(value string) ([]byte, error) {
	if strings.ContainsAny(value, " \t\r\n") {
		kept := make([]byte, 0, len(value))
		for i := range len(value) {
			switch value[i] {
			case ' ', '\t', '\r', '\n':
			default:
				kept = append(kept, value[i])
			}
		}
		value = string(kept)
	}
	return base64.StdEncoding.Strict().DecodeString(value)
}
