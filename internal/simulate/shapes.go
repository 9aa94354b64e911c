package simulate

import "net/http"

// Parts of bodies that more than one provider writes in the same way. Keys are in the
// order in which they are sent.

type name struct {
	Formatted  string `json:"formatted"`
	FamilyName string `json:"familyName"`
	GivenName  string `json:"givenName"`
}

type shortName struct {
	GivenName  string `json:"givenName"`
	FamilyName string `json:"familyName"`
}

type address struct {
	Value   string `json:"value"`
	Type    string `json:"type"`
	Primary bool   `json:"primary"`
}

type enterprise struct {
	Department string `json:"department"`
}

type member struct {
	Value string `json:"value"`
}

type bareGroup struct {
	Schemas     []string `json:"schemas"`
	DisplayName string   `json:"displayName"`
}

type namedGroup struct {
	Schemas     []string `json:"schemas"`
	ExternalID  string   `json:"externalId"`
	DisplayName string   `json:"displayName"`
}

// nameless sends no User-Agent: Entra has none, and servers have refused it for that.
// The other providers who have it here are those whose name in it is not public.
func nameless(h http.Header) { h.Set("User-Agent", "") }
