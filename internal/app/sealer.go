package app

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rolesync/rolesync/config"
	"github.com/rolesync/rolesync/internal/admin"
	"github.com/rolesync/rolesync/internal/credential"
	"github.com/rolesync/rolesync/internal/directory"
)

// OpenSealer returns what seals private keys: with the configured keys or, when there are
// none, with one in a file of the data folder, made when it is not there. With PostgreSQL
// there is no such file, since other processes would not have it: then it is nil.
func OpenSealer(c config.Config) (*credential.Sealer, error) {
	if c.SealingKeys.IsZero() {
		if !strings.HasPrefix(DatabaseURL(c), "sqlite:") {
			return nil, nil
		}
		key, err := credential.SealingKeyFile(filepath.Join(c.Data, "sealing.key"))
		if err != nil {
			return nil, err
		}
		return credential.NewSealer([]credential.SealingKey{key})
	}
	var keys []credential.SealingKey
	for text := range strings.SplitSeq(c.SealingKeys.Reveal(), ",") {
		key, err := credential.ParseSealingKey(text)
		if err != nil {
			return nil, fmt.Errorf("sealing_keys: %w", err)
		}
		keys = append(keys, key)
	}
	sealer, err := credential.NewSealer(keys)
	if err != nil {
		return nil, fmt.Errorf("sealing_keys: %w", err)
	}
	return sealer, nil
}

// samlURLs are the addresses of a SAML connection.
func (s *Service) samlURLs(id directory.ConnectionID) admin.SAMLURLs {
	base := s.BaseURL + "/saml/" + string(id)
	return admin.SAMLURLs{
		EntityID: base + "/metadata", ACS: base + "/acs", Login: base + "/login", Logout: base + "/logout", Metadata: base + "/metadata", Tests: base + "/test/",
	}
}
