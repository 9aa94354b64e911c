<?php

/*
 * Each service provider is as its own metadata says. The assertion is signed, and the
 * response around it too; in "encrypted….xml" the assertion is encrypted for it.
 */

foreach (glob(getenv('INTEROP_FOLDER') . '/sp/*.xml') as $file) {
    $entity = \SimpleSAML\Metadata\SAMLParser::parseFile($file)->getMetadata20SP();
    unset($entity['entityDescriptor']);
    $metadata[$entity['entityid']] = [
        'validate.authnrequest' => true, // refuses one that is not signed
        'saml20.sign.response' => true,
        'saml20.sign.assertion' => true,
        'assertion.encryption' => str_starts_with(basename($file), 'encrypted'),
        'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent',
    ] + $entity;
}
