package samltest

// Namespaces.
const (
	protocolNS   = "urn:oasis:names:tc:SAML:2.0:protocol"
	assertionNS  = "urn:oasis:names:tc:SAML:2.0:assertion"
	signatureNS  = "http://www.w3.org/2000/09/xmldsig#"
	encryptionNS = "http://www.w3.org/2001/04/xmlenc#"
	xmlNS        = "http://www.w3.org/XML/1998/namespace"
)

// Algorithms of canonicalisation and transforms.
const (
	Exclusive             = "http://www.w3.org/2001/10/xml-exc-c14n#"
	ExclusiveWithComments = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"
	Inclusive             = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	InclusiveWithComments = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
	Inclusive11           = "http://www.w3.org/2006/12/xml-c14n11"
	Enveloped             = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
)

// Algorithms of signatures.
const (
	RSASHA1     = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
	RSAMD5      = "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"
	RSASHA256   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
	RSASHA384   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
	RSASHA512   = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
	ECDSASHA1   = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"
	ECDSASHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	ECDSASHA384 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
	ECDSASHA512 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
	HMACSHA1    = "http://www.w3.org/2000/09/xmldsig#hmac-sha1"
	HMACSHA256  = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
)

// Algorithms of digests.
const (
	MD5    = "http://www.w3.org/2001/04/xmldsig-more#md5"
	SHA1   = "http://www.w3.org/2000/09/xmldsig#sha1"
	SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
	SHA384 = "http://www.w3.org/2001/04/xmldsig-more#sha384"
	SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"
)

// Algorithms of encryption: of the content, and of its key.
const (
	AES128CBC = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
	AES192CBC = "http://www.w3.org/2001/04/xmlenc#aes192-cbc"
	AES256CBC = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
	TripleDES = "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"
	AES128GCM = "http://www.w3.org/2009/xmlenc11#aes128-gcm"
	AES192GCM = "http://www.w3.org/2009/xmlenc11#aes192-gcm"
	AES256GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"

	RSA15     = "http://www.w3.org/2001/04/xmlenc#rsa-1_5"
	OAEP      = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p" // MGF1 with SHA-1
	OAEP11    = "http://www.w3.org/2009/xmlenc11#rsa-oaep"        // MGF1 as MGF says
	MGFSHA1   = "http://www.w3.org/2009/xmlenc11#mgf1sha1"
	MGFSHA256 = "http://www.w3.org/2009/xmlenc11#mgf1sha256"
)

// Names of SAML (core sections 8 and 3.2.2.2, profiles 3.3).
const (
	Success      = "urn:oasis:names:tc:SAML:2.0:status:Success"
	Bearer       = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	Unspecified  = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
	EmailAddress = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	Persistent   = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	Transient    = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
	PasswordTLS  = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
)
