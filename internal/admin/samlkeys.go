package admin

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/rolesync/rolesync/internal/directory"
	"github.com/rolesync/rolesync/internal/fault"
	"github.com/rolesync/rolesync/internal/store"
	"github.com/rolesync/rolesync/saml/metadata"
)

// MaxKeys is how many keys of one use a SAML connection has: more than any exchange of
// keys needs.
const MaxKeys = 4

const (
	keyBits = 2048 // what every provider verifies and encrypts with
	// A certificate of ours only carries the key, and providers that look at its end
	// would stop on that day.
	keyYears = 10
)

// newKey makes a key pair with a certificate that it signs itself. Its private key is
// sealed for the row that it will stand in.
func (s *Service) newKey(connection directory.ConnectionID, use directory.KeyUse, active bool) (directory.SAMLKey, error) {
	now := s.now()
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return directory.SAMLKey{}, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return directory.SAMLKey{}, fmt.Errorf("make a key: %w", err)
	}
	usage := x509.KeyUsageDigitalSignature
	if use == directory.Encryption {
		usage = x509.KeyUsageKeyEncipherment
	}
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: "rolesync " + string(use) + " " + string(connection)}, // at most 64 characters
		NotBefore:    now.Add(-time.Hour).Truncate(time.Second), NotAfter: now.AddDate(keyYears, 0, 0).Truncate(time.Second),
		KeyUsage: usage, SignatureAlgorithm: x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return directory.SAMLKey{}, fmt.Errorf("make a certificate: %w", err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return directory.SAMLKey{}, fmt.Errorf("encode a key: %w", err)
	}
	k := directory.SAMLKey{ID: directory.NewKeyID(), Use: use, Active: active, Certificate: der, CreatedAt: now, NotAfter: template.NotAfter}
	k.Sealed = s.Sealer.Seal(plain, k.SealContext(connection))
	clear(plain)
	return k, nil
}

// CreateSAMLKey makes a new key of a SAML connection, which our metadata announces at
// once. One for encryption is used as soon as the provider knows it; one for signing
// signs from ActivateSAMLKey on, so that the provider can learn it before.
func (s *Service) CreateSAMLKey(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, use directory.KeyUse) (Connection, directory.SAMLKey, error) {
	var none directory.SAMLKey
	if use != directory.Signing && use != directory.Encryption {
		return Connection{}, none, fault.New(fault.Invalid, "use %q is neither %s nor %s", first(string(use)), directory.Signing, directory.Encryption)
	}
	if err := s.canSeal(); err != nil {
		return Connection{}, none, err
	}
	if c, err := s.samlConnection(ctx, by, organization, id); err != nil {
		return Connection{}, none, err // before a key is made, which takes long
	} else if len(keysFor(c, use)) >= MaxKeys {
		return Connection{}, none, tooManyKeys(use)
	}
	made, err := s.newKey(id, use, false)
	if err != nil {
		return Connection{}, none, err
	}
	c, err := s.changeSAML(ctx, by, organization, id, func(tx *store.Tx, c Connection) (string, map[string]any, error) {
		same := keysFor(c, use)
		if len(same) >= MaxKeys {
			return "", nil, tooManyKeys(use)
		}
		made.Active = use == directory.Encryption || len(same) == 0
		tx.CreateSAMLKey(made)
		return "saml.key_created", map[string]any{"key": made.ID, "use": use, "certificate": metadata.Fingerprint(made.Certificate)}, nil
	})
	if err != nil {
		return Connection{}, none, err
	}
	return c, made, nil
}

// ActivateSAMLKey makes a key sign, instead of the one before, which stays announced.
func (s *Service) ActivateSAMLKey(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, key string) (Connection, error) {
	return s.changeSAML(ctx, by, organization, id, func(tx *store.Tx, c Connection) (string, map[string]any, error) {
		k, err := findKey(c, key)
		switch {
		case err != nil:
			return "", nil, err
		case k.Use != directory.Signing:
			return "", nil, fault.New(fault.Conflict, "key %q is for encryption: the provider chooses among those that are announced", key)
		case k.Active:
			return "", nil, nil
		}
		tx.ActivateSAMLKey(key)
		return "saml.key_activated", map[string]any{"key": key}, nil
	})
}

// DeleteSAMLKey ends a key. The one that signs and the last one for encryption cannot go:
// Conflict.
func (s *Service) DeleteSAMLKey(ctx context.Context, by Actor, organization directory.OrganizationID, id directory.ConnectionID, key string) error {
	_, err := s.changeSAML(ctx, by, organization, id, func(tx *store.Tx, c Connection) (string, map[string]any, error) {
		k, err := findKey(c, key)
		switch {
		case err != nil:
			return "", nil, err
		case k.Use == directory.Signing && k.Active:
			return "", nil, fault.New(fault.Conflict, "key %q is the one that signs; activate another one first", key)
		case len(keysFor(c, k.Use)) == 1:
			return "", nil, fault.New(fault.Conflict, "key %q is the last one for %s; make another one first", key, k.Use)
		}
		tx.DeleteSAMLKey(key)
		return "saml.key_deleted", map[string]any{"key": key, "use": k.Use}, nil
	})
	return err
}

func tooManyKeys(use directory.KeyUse) error {
	return fault.New(fault.Conflict, "there are %d keys for %s already; delete one first", MaxKeys, use)
}

func keysFor(c Connection, use directory.KeyUse) []directory.SAMLKey {
	var keys []directory.SAMLKey
	for _, k := range c.Keys {
		if k.Use == use {
			keys = append(keys, k)
		}
	}
	return keys
}

func findKey(c Connection, id string) (directory.SAMLKey, error) {
	for _, k := range c.Keys {
		if k.ID == id {
			return k, nil
		}
	}
	return directory.SAMLKey{}, fault.New(fault.NotFound, "there is no key %q", first(id))
}
