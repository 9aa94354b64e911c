<?php

/*
 * SimpleSAMLphp as the identity provider of a test. What differs from run to run lies in
 * the folder of the test: key.pem, cert.pem, users.json, sp/*.xml.
 */

$folder = getenv('INTEROP_FOLDER');
$address = getenv('INTEROP_ADDRESS');

$config = [
    'baseurlpath' => "$address/",
    'certdir' => "$folder/",
    'loggingdir' => "$folder/",
    'datadir' => "$folder/",
    'tempdir' => "$folder/tmp",
    'metadatadir' => __DIR__ . '/metadata/',

    'technicalcontact_email' => 'nobody@example.com',
    'secretsalt' => 'only for a test on 127.0.0.1',
    'auth.adminpassword' => bin2hex(random_bytes(16)), // nobody signs in as admin
    'admin.checkforupdates' => false,
    'timezone' => 'UTC',

    'logging.handler' => 'errorlog',
    'logging.level' => SimpleSAML\Logger::NOTICE,
    'logging.format' => '%level %msg',
    'showerrors' => true,
    'errorreporting' => false,

    'enable.saml20-idp' => true,
    'module.enable' => ['core' => true, 'saml' => true, 'exampleauth' => true],

    'session.phpsession.savepath' => "$folder/tmp",
    'store.type' => 'phpsession',

    'trusted.url.domains' => null, // any: ReturnTo after a logout leads to the test
    'metadata.sources' => [['type' => 'flatfile']],
    'authproc.idp' => [],
];
