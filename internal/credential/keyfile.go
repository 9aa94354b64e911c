package credential

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// SealingKeyFile returns the sealing key in the file at path, which it makes, readable
// by its owner only, when it is not there. Of several processes that make it at once,
// all get the same. It is for a deployment of one machine: the file must be kept as long
// as the database, and apart from its backups it is best kept elsewhere.
func SealingKeyFile(path string) (SealingKey, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeKeyFile(path); err == nil {
			content, err = os.ReadFile(path)
		}
	}
	if err != nil {
		return SealingKey{}, fmt.Errorf("sealing key: %w", err)
	}
	key, err := ParseSealingKey(strings.TrimRight(string(content), "\r\n"))
	if err != nil {
		return SealingKey{}, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// makeKeyFile writes the whole file before it has its name, so that nobody reads half
// of it, and keeps the one that another process was faster with.
func makeKeyFile(path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".sealing-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // its other name stays
	var key [SealingKeySize]byte
	_, _ = rand.Read(key[:]) // never fails: crypto/rand crashes the program instead
	_, err = fmt.Fprintf(file, "local:%s\n", base64.StdEncoding.EncodeToString(key[:]))
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
