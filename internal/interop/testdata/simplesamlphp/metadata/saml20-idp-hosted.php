<?php

$metadata[getenv('INTEROP_ADDRESS') . '/saml2/idp/metadata.php'] = [
    'host' => '__DEFAULT__',
    'privatekey' => 'key.pem',
    'certificate' => 'cert.pem',
    'auth' => 'users',

    'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    'attributes.NameFormat' => 'urn:oasis:names:tc:SAML:2.0:attrname-format:uri',
    'authproc' => [
        10 => [
            'class' => 'saml:AttributeNameID',
            'attribute' => 'uid',
            'Format' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
        ],
        20 => [
            'class' => 'core:AttributeMap',
            'mail' => 'urn:oid:0.9.2342.19200300.100.1.3',
            'givenName' => 'urn:oid:2.5.4.42',
            'sn' => 'urn:oid:2.5.4.4',
            'isMemberOf' => 'urn:oid:1.3.6.1.4.1.5923.1.5.1.1',
        ],
    ],

    'sign.logout' => true,
    'redirect.sign' => true,
    'redirect.validate' => true,
];
