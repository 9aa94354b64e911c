package credential

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// SealingKeySize is the length of a sealing key, in bytes: AES-256.
const SealingKeySize = 32

// MaxSealingKeys is how many keys open what was sealed: one that seals, and those from
// before, until nothing is left that they have sealed.
const MaxSealingKeys = 16

// SealingKey is a key that keeps secrets of ours unreadable in the database.
type SealingKey struct {
	ID  string // 1 to 32 of A-Z, a-z, 0-9, _ and -; it stands in front of what was sealed
	Key [SealingKeySize]byte
}

// String names the key and hides it.
func (k SealingKey) String() string { return k.ID + ":[redacted]" }

// GoString is what %#v prints.
func (k SealingKey) GoString() string { return "credential.SealingKey(" + k.String() + ")" }

// ParseSealingKey reads "id:base64 of 32 bytes". Its error repeats nothing of the text,
// which may be a key.
func ParseSealingKey(text string) (SealingKey, error) {
	id, encoded, found := strings.Cut(strings.TrimSpace(text), ":")
	if !found || !keyID(id) {
		return SealingKey{}, errors.New("a sealing key is id:key, the id 1 to 32 of A-Z, a-z, 0-9, _ and -")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(key) != SealingKeySize {
		return SealingKey{}, fmt.Errorf("sealing key %s is not the base64 of %d bytes; make one with: openssl rand -base64 %d", id, SealingKeySize, SealingKeySize)
	}
	return SealingKey{id, [SealingKeySize]byte(key)}, nil
}

func keyID(id string) bool {
	const signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	return id != "" && len(id) <= 32 && strings.Trim(id, signs) == ""
}

// Sealer keeps secrets that we need again, such as the private keys of SAML connections,
// unreadable for whoever has the database alone. What was sealed for one context does
// not open in another, so that rows cannot be exchanged for each other.
//
// A nil Sealer has no keys: Ready says what to do about it, and Open fails with it. It
// is safe for concurrent use.
type Sealer struct {
	seals string // the id of the key that seals
	opens map[string]cipher.AEAD
}

// ErrNoSealingKey is what a nil Sealer fails with.
var ErrNoSealingKey = errors.New("no sealing key is configured: set sealing_keys (ROLESYNC_SEALING_KEYS) to id:key, with a key of openssl rand -base64 32, and give every process the same")

// errSealed is the one error of everything that does not open.
var errSealed = errors.New("what was sealed does not open: it was changed, or stored for something else")

// NewSealer returns a Sealer whose first key seals; all of them open. It needs at least
// one, and of each id only one.
func NewSealer(keys []SealingKey) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, ErrNoSealingKey
	}
	if len(keys) > MaxSealingKeys {
		return nil, fmt.Errorf("there are %d sealing keys; at most %d are allowed", len(keys), MaxSealingKeys)
	}
	s := &Sealer{seals: keys[0].ID, opens: make(map[string]cipher.AEAD, len(keys))}
	for _, key := range keys {
		if !keyID(key.ID) {
			return nil, fmt.Errorf("the id %q of a sealing key is not 1 to 32 of A-Z, a-z, 0-9, _ and -", key.ID)
		}
		if s.opens[key.ID] != nil {
			return nil, fmt.Errorf("there are two sealing keys with the id %q", key.ID)
		}
		block, err := aes.NewCipher(key.Key[:])
		if err != nil {
			return nil, fmt.Errorf("sealing key %s: %w", key.ID, err)
		}
		if s.opens[key.ID], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("sealing key %s: %w", key.ID, err)
		}
	}
	return s, nil
}

// Ready returns ErrNoSealingKey when there is nothing to seal with.
func (s *Sealer) Ready() error {
	if s == nil {
		return ErrNoSealingKey
	}
	return nil
}

// Seal returns the id of the first key, a colon, and plain, encrypted and authenticated
// with AES-256-GCM for the context. It needs a Sealer that is Ready: what cannot be
// sealed must not be stored, so a nil one panics.
func (s *Sealer) Seal(plain []byte, context string) []byte {
	return s.opens[s.seals].Seal([]byte(s.seals+":"), nil, plain, bound(s.seals, context))
}

// Open returns what Seal was given for the same context.
func (s *Sealer) Open(sealed []byte, context string) ([]byte, error) {
	if s == nil {
		return nil, ErrNoSealingKey
	}
	id, rest, found := strings.Cut(string(sealed), ":")
	if !found || !keyID(id) {
		return nil, errSealed
	}
	aead := s.opens[id]
	if aead == nil {
		return nil, fmt.Errorf("what was sealed needs the sealing key %q, which is not configured any more", id)
	}
	plain, err := aead.Open(nil, nil, []byte(rest), bound(id, context))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// bound is what is authenticated beside the secret. An id has no colon.
func bound(id, context string) []byte { return []byte("rolesync seal v1:" + id + ":" + context) }
