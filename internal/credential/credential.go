// Package credential makes and checks machine credentials: bearer tokens of
// connections, secrets of their OAuth clients and of applications, and keys of the admin
// API. It also seals those secrets that we need again, see Sealer.
//
// A token (or secret, or key: here they are one) is 256 random bits, so it needs no slow hash: what is stored is its
// HMAC-SHA-256, which a thief of the database cannot turn back, and comparison is
// in constant time. The token itself is returned once, by New, and kept nowhere.
package credential

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
)

// The prefixes let a secret scanner, and a person, tell what was leaked.
const (
	SCIMToken    = "rs_scim_"   // made by an admin
	ClientSecret = "rs_client_" // of an OAuth client
	AccessToken  = "rs_access_" // given to an OAuth client
	AdminKey     = "rs_admin_"

	ApplicationSecret = "rs_app_"  // of an application that people sign in to
	TrialSecret       = "rs_test_" // in the address of a test login
)

// Digest is the stored form of a token.
type Digest [sha256.Size]byte

// domain separates these digests from any other use of the same hash.
var domain = []byte("rolesync machine token v1")

// Hash returns the digest of a token.
func Hash(token string) Digest {
	mac := hmac.New(sha256.New, domain)
	mac.Write([]byte(token))
	return Digest(mac.Sum(nil))
}

// Stored is what is kept of a token.
type Stored struct {
	ID        string
	Digest    Digest
	LastFour  string // the end of the token, so that a person can tell two apart
	CreatedAt time.Time
	ExpiresAt time.Time // zero: it does not expire

	// LastUsedAt is to the minute for a token that an admin made, exact for a client's
	// secret, and not kept of others. Zero: never.
	LastUsedAt time.Time
}

// New returns a fresh token with the given prefix, and what to store of it.
func New(prefix string, now, expires time.Time) (token string, stored Stored) {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails: crypto/rand crashes the program instead
	token = prefix + base64.RawURLEncoding.EncodeToString(secret[:])
	return token, Stored{
		ID:        directory.NewKeyID(),
		Digest:    Hash(token),
		LastFour:  token[len(token)-4:],
		CreatedAt: now,
		ExpiresAt: expires,
	}
}

// Live reports whether the token may still be used.
func (s Stored) Live(now time.Time) bool { return s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt) }

// Matches reports whether token is this credential and still live, in time that
// does not depend on the token.
func (s Stored) Matches(token string, now time.Time) bool { return s.MatchesDigest(Hash(token), now) }

// MatchesDigest is Matches for a token that was hashed already, as for comparing it with
// many.
func (s Stored) MatchesDigest(d Digest, now time.Time) bool {
	return subtle.ConstantTimeCompare(d[:], s.Digest[:]) == 1 && s.Live(now)
}
