package samltest

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
)

// Encryption says how an assertion is encrypted (XML Encryption 1.1). The zero value is
// AES-256-CBC and OAEP with SHA-1, as Okta and Shibboleth do by default, with the
// EncryptedKey within the KeyInfo of the data.
type Encryption struct {
	For       *x509.Certificate // whose key decrypts
	Content   string            // "": AES256CBC
	Transport string            // "": OAEP
	Digest    string            // of OAEP; "": SHA-1, and not named
	MGF       string            // of OAEP11; "": SHA-1, and not named
	Beside    bool              // the EncryptedKey is a sibling, found by a RetrievalMethod

	Plain  func(plaintext string) string  // changes what is encrypted
	Cipher func(ciphertext []byte) []byte // changes the ciphertext of the content
	Key    func(key []byte) []byte        // changes the content's key before it is encrypted
	Tamper func(encrypted *Element)       // changes the EncryptedAssertion
}

// Encrypt returns the EncryptedAssertion of an assertion, which is in the document root.
// The plaintext is written as the assertion is, with the namespaces that it inherits.
func Encrypt(root, assertion *Element, e Encryption) *Element {
	e = e.filled()
	plaintext := alone(root, assertion).String()
	if e.Plain != nil {
		plaintext = e.Plain(plaintext)
	}
	key := make([]byte, keySizes[e.Content])
	_, _ = rand.Read(key) // crypto/rand does not fail
	ciphertext := encrypt(e.Content, key, []byte(plaintext))
	if e.Cipher != nil {
		ciphertext = e.Cipher(ciphertext)
	}
	if e.Key != nil {
		key = e.Key(key)
	}
	public, ok := e.For.PublicKey.(*rsa.PublicKey)
	if !ok {
		panic(fmt.Sprintf("samltest: a key %T does not encrypt", e.For.PublicKey))
	}
	wrapped, err := e.wrap(public, key)
	if err != nil {
		panic(fmt.Errorf("samltest: encrypt with %s: %w", e.Transport, err))
	}
	encrypted := e.element(root.Name, wrapped, ciphertext)
	if e.Tamper != nil {
		e.Tamper(encrypted)
	}
	return encrypted
}

func (e Encryption) filled() Encryption {
	if e.Content == "" {
		e.Content = AES256CBC
	}
	if e.Transport == "" {
		e.Transport = OAEP
	}
	return e
}

var keySizes = map[string]int{
	AES128CBC: 16, AES192CBC: 24, AES256CBC: 32, AES128GCM: 16, AES192GCM: 24, AES256GCM: 32, TripleDES: 24,
}

// encrypt returns the initialisation vector or nonce and the ciphertext.
func encrypt(algorithm string, key, plaintext []byte) []byte {
	var block cipher.Block
	var err error
	if algorithm == TripleDES {
		block, err = des.NewTripleDESCipher(key)
	} else {
		block, err = aes.NewCipher(key)
	}
	if err != nil {
		panic(fmt.Errorf("samltest: encrypt with %s: %w", algorithm, err))
	}
	if strings.HasSuffix(algorithm, "gcm") {
		gcm, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			panic(fmt.Errorf("samltest: encrypt with %s: %w", algorithm, err))
		}
		return gcm.Seal(nil, nil, plaintext, nil)
	}
	size := block.BlockSize()
	padding := size - len(plaintext)%size // XML Encryption section 5.2: its length is the last byte
	padded := append(bytes.Clone(plaintext), make([]byte, padding)...)
	padded[len(padded)-1] = byte(padding)
	out := make([]byte, size+len(padded))
	_, _ = rand.Read(out[:size]) // crypto/rand does not fail
	cipher.NewCBCEncrypter(block, out[:size]).CryptBlocks(out[size:], padded)
	return out
}

func (e Encryption) wrap(public *rsa.PublicKey, key []byte) ([]byte, error) {
	if e.Transport == RSA15 {
		//lint:ignore SA1019 a verifier must refuse it, so a test must have it
		return rsa.EncryptPKCS1v15(rand.Reader, public, key)
	}
	options := &rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	if e.Digest != "" {
		options.Hash = hashOf(e.Digest)
	}
	if _, hash, ok := strings.Cut(e.MGF, "#mgf1"); ok {
		options.MGFHash = hashOf("#" + hash)
	}
	return rsa.EncryptOAEPWithOptions(rand.Reader, public, key, options)
}

func (e Encryption) element(response string, wrapped, ciphertext []byte) *Element {
	prefix := "saml:"
	if strings.HasPrefix(response, "saml2p:") {
		prefix = "saml2:"
	}
	var method string
	if e.Digest != "" {
		method += `<ds:DigestMethod xmlns:ds="` + signatureNS + `" Algorithm="` + e.Digest + `"/>`
	}
	if e.MGF != "" {
		method += `<xenc11:MGF xmlns:xenc11="http://www.w3.org/2009/xmlenc11#" Algorithm="` + e.MGF + `"/>`
	}
	value := func(b []byte) string {
		return `<xenc:CipherData><xenc:CipherValue>` + base64.StdEncoding.EncodeToString(b) + `</xenc:CipherValue></xenc:CipherData>`
	}
	key := `<xenc:EncryptedKey xmlns:xenc="` + encryptionNS + `" Id="_key"><xenc:EncryptionMethod Algorithm="` + e.Transport + `">` + method +
		`</xenc:EncryptionMethod>` + value(wrapped) + `</xenc:EncryptedKey>`
	within, beside := key, ""
	if e.Beside {
		within = `<ds:RetrievalMethod Type="http://www.w3.org/2001/04/xmlenc#EncryptedKey" URI="#_key"/>`
		beside = key
	}
	name := prefix + "EncryptedAssertion"
	return parse(`<` + name + ` xmlns:` + strings.TrimSuffix(prefix, ":") + `="` + assertionNS + `">` +
		`<xenc:EncryptedData xmlns:xenc="` + encryptionNS + `" Type="http://www.w3.org/2001/04/xmlenc#Element">` +
		`<xenc:EncryptionMethod Algorithm="` + e.Content + `"/>` +
		`<ds:KeyInfo xmlns:ds="` + signatureNS + `">` + within + `</ds:KeyInfo>` + value(ciphertext) +
		`</xenc:EncryptedData>` + beside + `</` + name + `>`)
}

// alone returns a copy of an element that declares the namespaces which it inherits and
// uses, so that it can be read without the document around it.
func alone(root, element *Element) *Element {
	scope := map[string]string{}
	above := ancestry(root, element)
	for _, e := range above[:len(above)-1] {
		scope = declared(scope, e)
	}
	copied := element.Clone()
	used := map[string]bool{}
	usedPrefixes(copied, scope, map[string]bool{}, used)
	for prefix, uri := range scope {
		if !used[prefix] {
			continue
		}
		name := "xmlns"
		if prefix != "" {
			name += ":" + prefix
		}
		copied.Attributes = append([]Attribute{{Name: name, Value: uri}}, copied.Attributes...)
	}
	return copied
}

// usedPrefixes notes the prefixes of a scope that stand in an element, or in the value of an
// xsi:type, and are not declared within it.
func usedPrefixes(e *Element, scope map[string]string, own, used map[string]bool) {
	declared := map[string]bool{}
	for prefix := range own {
		declared[prefix] = true
	}
	for _, a := range e.Attributes {
		if prefix, ok := declares(a.Name); ok {
			declared[prefix] = true
		}
	}
	use := func(prefix string) {
		if _, ok := scope[prefix]; ok && !declared[prefix] {
			used[prefix] = true
		}
	}
	prefix, _ := split(e.Name)
	use(prefix)
	for _, a := range e.Attributes {
		if _, ok := declares(a.Name); ok {
			continue
		}
		if prefix, local := split(a.Name); prefix != "" {
			use(prefix)
			if local == "type" {
				prefix, _ := split(a.Value)
				use(prefix)
			}
		}
	}
	for _, child := range e.Elements() {
		usedPrefixes(child, scope, declared, used)
	}
}
