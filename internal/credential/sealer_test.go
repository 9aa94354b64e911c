package credential_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rolesync/rolesync/internal/credential"
)

func key(id string, fill byte) credential.SealingKey {
	return credential.SealingKey{ID: id, Key: [32]byte(bytes.Repeat([]byte{fill}, 32))}
}

func sealer(t *testing.T, keys ...credential.SealingKey) *credential.Sealer {
	t.Helper()
	s, err := credential.NewSealer(keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealer(t *testing.T) {
	before := sealer(t, key("2025", 1))
	after := sealer(t, key("2026", 2), key("2025", 1))
	plain := []byte("a private key")
	sealed := before.Seal(plain, "key_1")
	if !bytes.HasPrefix(sealed, []byte("2025:")) || bytes.Contains(sealed, plain) {
		t.Errorf("sealed %q, want the id of the key in front and nothing readable", sealed)
	}
	if again := before.Seal(plain, "key_1"); bytes.Equal(again, sealed) {
		t.Error("the same text was sealed twice in the same way")
	}
	for situation, s := range map[string]*credential.Sealer{"with the key that sealed": before, "with a newer key in front": after} {
		if got, err := s.Open(sealed, "key_1"); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: Open = %q, %v", situation, got, err)
		}
	}
	if newer := after.Seal(plain, "key_1"); !bytes.HasPrefix(newer, []byte("2026:")) {
		t.Errorf("sealed %q, want the first key to seal", newer)
	}
	if got, err := before.Open(before.Seal(nil, "x"), "x"); err != nil || len(got) != 0 {
		t.Errorf("nothing, sealed and opened, is %q, %v", got, err)
	}
}

func TestWhatDoesNotOpen(t *testing.T) {
	s := sealer(t, key("a", 1), key("b", 2))
	sealed := s.Seal([]byte("secret"), "key_1")
	changed := func(at int) []byte {
		c := bytes.Clone(sealed)
		c[at] ^= 1
		return c
	}
	for situation, c := range map[string]struct {
		sealed  []byte
		context string
	}{
		"another context":          {sealed, "key_2"},
		"no context":               {sealed, ""},
		"a changed nonce":          {changed(2), "key_1"},
		"a changed text":           {changed(len(sealed) - 20), "key_1"},
		"a changed tag":            {changed(len(sealed) - 1), "key_1"},
		"the id of another key":    {append([]byte("b"), sealed[1:]...), "key_1"},
		"an id that is not there":  {append([]byte("c"), sealed[1:]...), "key_1"},
		"cut short":                {sealed[:len(sealed)-1], "key_1"},
		"nothing behind the id":    {[]byte("a:"), "key_1"},
		"less than a nonce":        {[]byte("a:123"), "key_1"},
		"no id":                    {[]byte(":"), "key_1"},
		"nothing":                  {nil, "key_1"},
		"the context and id moved": {sealed, "a:key_1"},
	} {
		if got, err := s.Open(c.sealed, c.context); err == nil {
			t.Errorf("%s: opened as %q", situation, got)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", situation, err)
		}
	}
	if _, err := sealer(t, key("b", 2)).Open(sealed, "key_1"); err == nil || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("without the key that sealed: %v, want its id", err)
	}
	if _, err := sealer(t, key("a", 9)).Open(sealed, "key_1"); err == nil {
		t.Error("another key of the same id opens it")
	}
}

func TestNoSealer(t *testing.T) {
	var none *credential.Sealer
	if err := none.Ready(); !errors.Is(err, credential.ErrNoSealingKey) || !strings.Contains(err.Error(), "ROLESYNC_SEALING_KEYS") {
		t.Errorf("Ready = %v, want the setting to be named", err)
	}
	if _, err := none.Open([]byte("a:1"), ""); !errors.Is(err, credential.ErrNoSealingKey) {
		t.Errorf("Open = %v", err)
	}
	if err := sealer(t, key("a", 1)).Ready(); err != nil {
		t.Errorf("Ready with a key = %v", err)
	}
	many := make([]credential.SealingKey, credential.MaxSealingKeys+1)
	for i := range many {
		many[i] = key(fmt.Sprint("k", i), 1)
	}
	for situation, keys := range map[string][]credential.SealingKey{
		"no keys": nil, "two of one id": {key("a", 1), key("a", 2)}, "an id with a colon": {key("a:b", 1)}, "no id": {key("", 1)}, "too many": many,
	} {
		if s, err := credential.NewSealer(keys); err == nil || s != nil {
			t.Errorf("%s: accepted", situation)
		}
	}
}

func TestParseSealingKey(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	got, err := credential.ParseSealingKey(" 2026-a:" + encoded + "\n")
	if err != nil || got != key("2026-a", 7) {
		t.Errorf("ParseSealingKey = %v, %v", got, err)
	}
	for _, printed := range []string{fmt.Sprint(got), fmt.Sprintf("%+v", got), fmt.Sprintf("%#v", got)} {
		if !strings.Contains(printed, "2026-a") || !strings.Contains(printed, "[redacted]") {
			t.Errorf("it prints as %s", printed)
		}
	}
	for situation, text := range map[string]string{
		"empty": "", "no id": ":" + encoded, "no colon": encoded, "too short": "a:" + encoded[4:], "too long": "a:" + encoded[:40] + encoded,
		"no base64": "a:" + strings.Repeat("*", 44), "a space in the id": "a b:" + encoded, "a long id": strings.Repeat("a", 33) + ":" + encoded,
	} {
		if _, err := credential.ParseSealingKey(text); err == nil {
			t.Errorf("%s: accepted", situation)
		} else if strings.Contains(err.Error(), encoded[4:20]) {
			t.Errorf("%s: the error repeats the key: %v", situation, err)
		}
	}
}

func TestSealingKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "sealing.key")
	keys := make([]credential.SealingKey, 8)
	var wait sync.WaitGroup
	for i := range keys { // all at once
		wait.Go(func() {
			var err error
			if keys[i], err = credential.SealingKeyFile(path); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, k := range keys {
		if k != keys[0] || k.Key == [32]byte{} {
			t.Fatalf("the keys differ, or are empty: %v", keys)
		}
	}
	if again, err := credential.SealingKeyFile(path); err != nil || again != keys[0] {
		t.Errorf("read again: %v, %v", again, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v, want 0600", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("beside the key there is %v, %v", left, err)
	}
	if err := os.WriteFile(path, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := credential.SealingKeyFile(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged file: %v, want its name", err)
	}
	if content, _ := os.ReadFile(path); string(content) != "rubbish" {
		t.Error("a damaged file was overwritten: what it sealed would be lost")
	}
}
