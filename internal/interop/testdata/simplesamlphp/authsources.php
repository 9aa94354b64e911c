<?php

$config = ['users' => ['exampleauth:UserPass']];
foreach (json_decode(file_get_contents(getenv('INTEROP_FOLDER') . '/users.json'), true) as $user) {
    $config['users'][$user['name'] . ':' . $user['password']] = [
        'uid' => [$user['name']],
        'mail' => [$user['email']],
        'givenName' => [$user['given_name']],
        'sn' => [$user['family_name']],
        'isMemberOf' => $user['groups'],
    ];
}
