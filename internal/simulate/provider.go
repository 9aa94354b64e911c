package simulate

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Provider is whom a session plays.
type Provider string

// The providers.
const (
	Okta      Provider = "okta"
	Entra     Provider = "entra"
	OneLogin  Provider = "onelogin"
	JumpCloud Provider = "jumpcloud"
	Google    Provider = "google"
	Ping      Provider = "ping"
	Rippling  Provider = "rippling"
	Keycloak  Provider = "keycloak"
	Authentik Provider = "authentik"
)

// profile is what a session must know of a provider besides its dialect.
type profile struct {
	provider Provider
	name     string // as its makers write it
	domain   string // of its people's addresses: no two providers have the same
	// What it deletes at the other end. Whoever does not delete users deactivates them.
	deletesUsers, deletesGroups bool
	externalID                  func(*rand.Rand) string // what it calls a user
	dialect                     func(c *client, o Options) dialect
}

// profiles lists the providers. The place of a provider in the list chooses its people:
// a new one goes to the end.
var profiles = []profile{
	{Okta, "Okta", "example.com", false, true, oktaID, newOkta},
	{Entra, "Entra", "example.com", true, false, guid, newEntra},
	{OneLogin, "OneLogin", "onelogin.example", true, false, number, newOneLogin},
	{JumpCloud, "JumpCloud", "jumpcloud.example", false, true, objectID, newJumpCloud},
	{Google, "Google Workspace", "google.example", true, false, number, newGoogle},
	{Ping, "Ping", "ping.example", true, true, guid, newPing},
	{Rippling, "Rippling", "rippling.example", true, true, objectID, newRippling},
	{Keycloak, "Keycloak", "keycloak.example", true, true, guid, newKeycloak},
	{Authentik, "authentik", "authentik.example", true, true, digest, newAuthentik},
}

// Providers returns all providers, in a fixed order.
func Providers() []Provider {
	var list []Provider
	for _, p := range profiles {
		list = append(list, p.provider)
	}
	return list
}

// index is the place in profiles, -1 for a provider that there is not.
func (p Provider) index() int {
	return slices.IndexFunc(profiles, func(other profile) bool { return other.provider == p })
}

// profile may be called for a known provider only.
func (p Provider) profile() profile { return profiles[p.index()] }

func (p Provider) String() string {
	if p.index() < 0 {
		return string(p)
	}
	return p.profile().name
}

func unknown(p Provider) error {
	var names []string
	for _, known := range Providers() {
		names = append(names, string(known))
	}
	return fmt.Errorf("provider %q is none of %s", string(p), strings.Join(names, ", "))
}

func oktaID(random *rand.Rand) string { return "00u" + letters(random, 17) }

func guid(random *rand.Rand) string {
	b := bytesOf(random, 16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4 (RFC 9562 §5.4)
	h := hex.EncodeToString(b)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// number is an id of digits, which OneLogin writes as a string.
func number(random *rand.Rand) string { return fmt.Sprint(100_000_000 + random.IntN(900_000_000)) }

// objectID has the form of the ids of MongoDB, as those of JumpCloud and Rippling do.
func objectID(random *rand.Rand) string { return hex.EncodeToString(bytesOf(random, 12)) }

// digest has the form of a SHA-256, as authentik's uid does.
func digest(random *rand.Rand) string { return hex.EncodeToString(bytesOf(random, 32)) }

func bytesOf(random *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}
