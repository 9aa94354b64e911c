package verifier

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"   // crypto.SHA1, the default of OAEP
	_ "crypto/sha256" // crypto.SHA256
	_ "crypto/sha512" // crypto.SHA384, crypto.SHA512
	"errors"

	"github.com/beevik/etree"
)

// The algorithms of XML Encryption that are accepted. PKCS #1 v1.5 key transport is not, nor
// are Triple-DES and keys agreed or wrapped in other ways.
const (
	oaepMGF1P = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
	oaep11    = "http://www.w3.org/2009/xmlenc11#rsa-oaep"

	encryption11Space = "http://www.w3.org/2009/xmlenc11#"
)

// ciphers are the algorithms of the content: the size of the key, and whether it
// authenticates what it decrypts.
var ciphers = map[string]struct {
	size int
	gcm  bool
}{
	"http://www.w3.org/2001/04/xmlenc#aes128-cbc": {16, false},
	"http://www.w3.org/2001/04/xmlenc#aes192-cbc": {24, false},
	"http://www.w3.org/2001/04/xmlenc#aes256-cbc": {32, false},
	"http://www.w3.org/2009/xmlenc11#aes128-gcm":  {16, true},
	"http://www.w3.org/2009/xmlenc11#aes192-gcm":  {24, true},
	"http://www.w3.org/2009/xmlenc11#aes256-gcm":  {32, true},
}

// hashes are the digests of OAEP and of its mask. Crewjam's identity provider names SHA-256
// and SHA-512 in the wrong namespace.
var hashes = map[string]crypto.Hash{
	"http://www.w3.org/2000/09/xmldsig#sha1":        crypto.SHA1,
	"http://www.w3.org/2001/04/xmlenc#sha256":       crypto.SHA256,
	"http://www.w3.org/2001/04/xmldsig-more#sha384": crypto.SHA384,
	"http://www.w3.org/2001/04/xmlenc#sha512":       crypto.SHA512,
	"http://www.w3.org/2000/09/xmldsig#sha256":      crypto.SHA256,
	"http://www.w3.org/2000/09/xmldsig#sha512":      crypto.SHA512,

	"http://www.w3.org/2009/xmlenc11#mgf1sha1":   crypto.SHA1,
	"http://www.w3.org/2009/xmlenc11#mgf1sha256": crypto.SHA256,
	"http://www.w3.org/2009/xmlenc11#mgf1sha384": crypto.SHA384,
	"http://www.w3.org/2009/xmlenc11#mgf1sha512": crypto.SHA512,
}

// maxEncryptedKeys bounds for how many recipients a key may be encrypted: each costs an
// operation with each of our private keys, before anything is known of who sent it.
const maxEncryptedKeys = 4

// errDecryption is the one error of everything that goes wrong once secrets are used.
// Whoever could tell bad padding from bad XML could decrypt with our help.
//
// Nor may he tell bad XML from XML that is not signed, where the cipher lets him change what
// it holds: of a block that he guesses he can make "<x:Assertion/>", and see that he guessed
// right; by other tricks he sees the last byte of many. So under CBC, while nothing is signed,
// a signature that does not verify is this error too. (That the message is of GCM does not
// help: he may call it CBC.)
var errDecryption = errors.New("no key of ours decrypts the assertion, or (where it is encrypted with CBC, in a Response that is not signed) what is in it is not signed by the provider")

// decrypt returns the assertion inside of an EncryptedAssertion, and whether the cipher
// vouches that it was not changed. What a message says openly, its algorithms and its shape,
// is named in a refusal; all else is one refusal.
func decrypt(encrypted *etree.Element, keys []crypto.Decrypter, recipient string) (el *etree.Element, unchanged bool, refusal *Refusal) {
	data := only(encrypted, encryptionSpace, "EncryptedData")
	if data == nil {
		return nil, false, refuse(BadDecryption, "the EncryptedAssertion has not exactly one EncryptedData")
	}
	named := encryptionMethod(data)
	content, ok := ciphers[named]
	if !ok {
		return nil, false, refuse(BadAlgorithm, "the encryption algorithm %s is not accepted", quote(named))
	}
	sealedKeys, refusal := encryptedKeys(encrypted, data, recipient)
	if refusal != nil {
		return nil, false, refusal
	}
	if len(keys) == 0 {
		return nil, false, refuse(BadDecryption, "the assertion is encrypted, but we have no key for encryption")
	}
	sealed, refusal := cipherValue(data)
	if refusal != nil {
		return nil, false, refusal
	}
	var transports []transport
	for _, el := range sealedKeys {
		t, refusal := readTransport(el)
		if refusal != nil {
			return nil, false, refusal
		}
		transports = append(transports, t)
	}
	for _, t := range transports {
		for _, key := range keys {
			// What OAEP opens was made for this key, and decides.
			if contentKey, err := key.Decrypt(rand.Reader, t.sealed, t.options); err == nil {
				el, refusal = unpack(encrypted, contentKey, sealed, content.size, content.gcm)
				return el, content.gcm, refusal
			}
		}
	}
	return nil, false, refuse(BadDecryption, "%v", errDecryption)
}

// unpack decrypts the content and reads it, as strictly as a message that came openly.
func unpack(encrypted *etree.Element, key, sealed []byte, size int, gcm bool) (*etree.Element, *Refusal) {
	if len(key) != size {
		return nil, refuse(BadDecryption, "%v", errDecryption)
	}
	plain, err := open(key, sealed, gcm)
	if err != nil {
		return nil, refuse(BadDecryption, "%v", errDecryption)
	}
	bound := scope(encrypted)
	g := newGuard(assertionName)
	assertion, refusal := parse(plain, bound, g)
	if refusal != nil || g.complete() != nil {
		return nil, refuse(BadDecryption, "%v", errDecryption)
	}
	inherit(assertion, bound)
	return assertion, nil
}

func encryptionMethod(el *etree.Element) string {
	method := only(el, encryptionSpace, "EncryptionMethod")
	if method == nil {
		return ""
	}
	return text(method, "Algorithm")
}

// encryptedKeys returns the EncryptedKeys that may hold the key of the data: in its KeyInfo,
// or beside it (core, section 6.1), where a RetrievalMethod may or may not point. Those for
// our entity ID come alone, if there are any.
func encryptedKeys(encrypted, data *etree.Element, recipient string) ([]*etree.Element, *Refusal) {
	var found []*etree.Element
	if keyInfo := only(data, signatureSpace, "KeyInfo"); keyInfo != nil {
		found = children(keyInfo, encryptionSpace, "EncryptedKey")
	}
	if len(found) == 0 {
		found = children(encrypted, encryptionSpace, "EncryptedKey")
	}
	var ours []*etree.Element
	for _, el := range found {
		if text(el, "Recipient") == recipient {
			ours = append(ours, el)
		}
	}
	if len(ours) > 0 {
		found = ours
	}
	switch {
	case len(found) == 0:
		return nil, refuse(BadDecryption, "the EncryptedAssertion has no EncryptedKey")
	case len(found) > maxEncryptedKeys:
		return nil, refuse(BadDecryption, "the EncryptedAssertion has %d EncryptedKeys, and may have %d", len(found), maxEncryptedKeys)
	}
	return found, nil
}

// transport is an encrypted key, and how it is to be opened.
type transport struct {
	sealed  []byte
	options *rsa.OAEPOptions
}

// readTransport reads an EncryptedKey. The digest and the mask of OAEP default to SHA-1,
// which is no weakness there.
func readTransport(el *etree.Element) (transport, *Refusal) {
	named := encryptionMethod(el)
	if named != oaepMGF1P && named != oaep11 {
		return transport{}, refuse(BadAlgorithm, "the key transport %s is not accepted: only RSA-OAEP is", quote(named))
	}
	method := only(el, encryptionSpace, "EncryptionMethod")
	options := &rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	if digest := only(method, signatureSpace, "DigestMethod"); digest != nil {
		if options.Hash = hashes[text(digest, "Algorithm")]; options.Hash == 0 {
			return transport{}, refuse(BadAlgorithm, "the digest %s of RSA-OAEP is not accepted", quote(text(digest, "Algorithm")))
		}
	}
	if mask := only(method, encryption11Space, "MGF"); mask != nil && named == oaep11 {
		if options.MGFHash = hashes[text(mask, "Algorithm")]; options.MGFHash == 0 {
			return transport{}, refuse(BadAlgorithm, "the mask %s of RSA-OAEP is not accepted", quote(text(mask, "Algorithm")))
		}
	}
	if params, ok := valueOf(only(method, encryptionSpace, "OAEPparams")); ok {
		label, err := decodeBase64(params)
		if err != nil {
			return transport{}, refuse(BadDecryption, "the OAEPparams are not Base64")
		}
		options.Label = label
	}
	sealed, refusal := cipherValue(el)
	return transport{sealed, options}, refusal
}

// cipherValue returns the octets of an EncryptedData or EncryptedKey. A CipherReference,
// which would make us fetch something, is refused.
func cipherValue(el *etree.Element) ([]byte, *Refusal) {
	data := only(el, encryptionSpace, "CipherData")
	if data == nil {
		return nil, refuse(BadDecryption, "the %s has not exactly one CipherData", el.Tag)
	}
	written, ok := valueOf(only(data, encryptionSpace, "CipherValue"))
	if !ok {
		return nil, refuse(BadDecryption, "the %s has not exactly one CipherValue", el.Tag)
	}
	octets, err := decodeBase64(written)
	if err != nil {
		return nil, refuse(BadDecryption, "the CipherValue of the %s is not Base64", el.Tag)
	}
	return octets, nil
}

// open decrypts content (XML Encryption 1.1, section 5.2): the initialization vector stands
// in front.
func open(key, sealed []byte, gcm bool) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errDecryption
	}
	if gcm {
		return openGCM(block, sealed)
	}
	if len(sealed) < 2*aes.BlockSize || len(sealed)%aes.BlockSize != 0 {
		return nil, errDecryption
	}
	plain := make([]byte, len(sealed)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, sealed[:aes.BlockSize]).CryptBlocks(plain, sealed[aes.BlockSize:])
	// The last byte says how many bytes of padding there are; the others are arbitrary.
	padding := int(plain[len(plain)-1])
	if padding == 0 || padding > aes.BlockSize {
		return nil, errDecryption
	}
	return plain[:len(plain)-padding], nil
}

func openGCM(block cipher.Block, sealed []byte) ([]byte, error) {
	aead, err := cipher.NewGCM(block)
	if err != nil || len(sealed) < aead.NonceSize()+aead.Overhead() {
		return nil, errDecryption
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
	if err != nil {
		return nil, errDecryption
	}
	return plain, nil
}
