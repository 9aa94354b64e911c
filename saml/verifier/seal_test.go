package verifier

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"testing"
)

// sealing is how a test encrypts. Its zero value is AES-256-GCM with RSA-OAEP and SHA-1.
type sealing struct {
	cipher    string // aes128-cbc, …
	transport string // the URI; "": RSA-OAEP-MGF1P
	digest    string // the URI of the digest; "": none is named, SHA-1
	mask      string // the URI of the mask; "": none is named, SHA-1
	hash, mgf crypto.Hash
	label     string
	beside    bool // the EncryptedKey stands beside EncryptedData
	recipient *rsa.PublicKey
	spoil     func(content []byte) []byte
	spoilKey  func(sealed []byte) []byte
}

// encrypted returns an EncryptedAssertion.
func encrypted(tb testing.TB, plain string, s sealing) string {
	tb.Helper()
	if s.cipher == "" {
		s.cipher = "aes256-gcm"
	}
	if s.transport == "" {
		s.transport = oaepMGF1P
	}
	if s.hash == 0 {
		s.hash = crypto.SHA1
	}
	if s.mgf == 0 {
		s.mgf = crypto.SHA1
	}
	if s.recipient == nil {
		s.recipient = &ourKey().PublicKey
	}
	uri := "http://www.w3.org/2001/04/xmlenc#" + s.cipher
	if strings.HasSuffix(s.cipher, "-gcm") {
		uri = "http://www.w3.org/2009/xmlenc11#" + s.cipher
	}
	size := ciphers[uri].size
	if size == 0 {
		size = 32
	}
	key := random(tb, size)
	sealedKey, err := rsa.EncryptOAEPWithOptions(rand.Reader, s.recipient, key, &rsa.OAEPOptions{Hash: s.hash, MGFHash: s.mgf, Label: []byte(s.label)})
	if err != nil {
		tb.Fatal(err)
	}
	if s.spoilKey != nil {
		sealedKey = s.spoilKey(sealedKey)
	}
	content := seal(tb, key, []byte(plain), strings.HasSuffix(s.cipher, "-gcm"))
	if s.spoil != nil {
		content = s.spoil(content)
	}

	method := ""
	if s.label != "" {
		method += `<e:OAEPparams>` + base64.StdEncoding.EncodeToString([]byte(s.label)) + `</e:OAEPparams>`
	}
	if s.digest != "" {
		method += `<ds:DigestMethod xmlns:ds="` + signatureSpace + `" Algorithm="` + s.digest + `"/>`
	}
	if s.mask != "" {
		method += `<n:MGF xmlns:n="` + encryption11Space + `" Algorithm="` + s.mask + `"/>`
	}
	encryptedKey := `<e:EncryptedKey xmlns:e="` + encryptionSpace + `" Id="_key1"><e:EncryptionMethod Algorithm="` + s.transport + `">` + method + `</e:EncryptionMethod>` +
		`<e:CipherData><e:CipherValue>` + wrapped(sealedKey) + `</e:CipherValue></e:CipherData></e:EncryptedKey>`
	inside, beside := encryptedKey, ""
	if s.beside {
		inside, beside = `<ds:RetrievalMethod Type="http://www.w3.org/2001/04/xmlenc#EncryptedKey" URI="#_key1"/>`, encryptedKey
	}
	return `<x:EncryptedAssertion xmlns:x="` + assertionSpace + `"><e:EncryptedData xmlns:e="` + encryptionSpace + `" Type="http://www.w3.org/2001/04/xmlenc#Element">` +
		`<e:EncryptionMethod Algorithm="` + uri + `"/><ds:KeyInfo xmlns:ds="` + signatureSpace + `">` + inside + `</ds:KeyInfo>` +
		`<e:CipherData><e:CipherValue>` + wrapped(content) + `</e:CipherValue></e:CipherData></e:EncryptedData>` + beside + `</x:EncryptedAssertion>`
}

func random(tb testing.TB, n int) []byte {
	tb.Helper()
	octets := make([]byte, n)
	if _, err := rand.Read(octets); err != nil {
		tb.Fatal(err)
	}
	return octets
}

func seal(tb testing.TB, key, plain []byte, gcm bool) []byte {
	tb.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		tb.Fatal(err)
	}
	if gcm {
		aead, err := cipher.NewGCM(block)
		if err != nil {
			tb.Fatal(err)
		}
		nonce := random(tb, aead.NonceSize())
		return aead.Seal(nonce, nonce, plain, nil)
	}
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	padded := append(append([]byte(nil), plain...), random(tb, padding)...)
	padded[len(padded)-1] = byte(padding)
	iv := random(tb, aes.BlockSize)
	content := make([]byte, len(padded))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(content, padded)
	return append(iv, content...)
}
