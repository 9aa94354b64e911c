package samltest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"math/big"
	"slices"
)

// quickKey is an RSA key whose modulus is a product of eight primes instead of two. It
// signs about six times as fast as crypto/rsa does, by the Chinese remainder theorem, and
// the signatures are the same as those of any key of its size: nobody who verifies can tell.
// So benchmarks can have thousands of responses signed beforehand. It protects nothing.
type quickKey struct {
	public    rsa.PublicKey
	primes    []*big.Int
	exponents []*big.Int // of each prime p: the private exponent modulo p-1
	parts     []*big.Int // of each prime p: 1 modulo p, 0 modulo the others
}

const quickPrimes = 8

// newQuickKey tries until the modulus has the size, which about one in three has.
func newQuickKey(bits int) (*quickKey, error) {
	for {
		k, err := quickKeyOf(bits)
		if err != nil || k.public.N.BitLen() == bits {
			return k, err
		}
	}
}

func quickKeyOf(bits int) (*quickKey, error) {
	k := &quickKey{public: rsa.PublicKey{N: big.NewInt(1), E: 65537}}
	exponent := big.NewInt(int64(k.public.E))
	for len(k.primes) < quickPrimes {
		prime, err := rand.Prime(rand.Reader, bits/quickPrimes)
		if err != nil {
			return nil, err
		}
		private := new(big.Int).ModInverse(exponent, new(big.Int).Sub(prime, big.NewInt(1)))
		if private == nil || slices.ContainsFunc(k.primes, func(p *big.Int) bool { return p.Cmp(prime) == 0 }) {
			continue
		}
		k.public.N.Mul(k.public.N, prime)
		k.primes = append(k.primes, prime)
		k.exponents = append(k.exponents, private)
	}
	for _, p := range k.primes {
		others := new(big.Int).Div(k.public.N, p)
		k.parts = append(k.parts, others.Mul(others, new(big.Int).ModInverse(others, p)))
	}
	return k, nil
}

func (k *quickKey) Public() crypto.PublicKey { return &k.public }

// digestInfo is what stands before a digest that is signed (RFC 8017, section 9.2, note 1).
var digestInfo = map[crypto.Hash]string{
	crypto.MD5:    "\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10",
	crypto.SHA1:   "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
	crypto.SHA256: "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
	crypto.SHA384: "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
	crypto.SHA512: "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
}

// Sign signs by PKCS #1 v1.5.
func (k *quickKey) Sign(_ io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	prefix, ok := digestInfo[options.HashFunc()]
	if _, pss := options.(*rsa.PSSOptions); pss || !ok || len(digest) != options.HashFunc().Size() {
		return nil, fmt.Errorf("samltest: a quick key does not sign %d bytes with %v", len(digest), options.HashFunc())
	}
	padded := make([]byte, k.public.Size())
	padded[1] = 1
	end := copy(padded[len(padded)-len(digest)-len(prefix):], prefix)
	copy(padded[len(padded)-len(digest):], digest)
	for i := 2; i < len(padded)-len(digest)-end-1; i++ {
		padded[i] = 0xff
	}
	message, sum := new(big.Int).SetBytes(padded), new(big.Int)
	for i, p := range k.primes {
		root := new(big.Int).Exp(new(big.Int).Mod(message, p), k.exponents[i], p)
		sum.Add(sum, root.Mul(root, k.parts[i]))
	}
	return sum.Mod(sum, k.public.N).FillBytes(padded), nil
}
