<?php
// php-memcached (libmemcached and Cyrus) logs in to the server on the port given as argument.

$failed = 0;

function check(string $name, $got, $expected): void
{
    global $failed;
    if ($got === $expected) {
        echo "ok php-memcached $name\n";
        return;
    }
    $failed++;
    echo "FAILED php-memcached $name: expected ", var_export($expected, true), ", got ", var_export($got, true), "\n";
}

function log_in(?string $user, ?string $password)
{
    global $argv;
    $client = new Memcached();
    $client->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
    if ($user !== null) {
        $client->setSaslAuthData($user, $password);
    }
    $client->addServer('127.0.0.1', (int) $argv[1]);
    return $client->set('k', 'value') ? $client->get('k') : false;
}

check('right password', log_in('app', 'se cret:x'), 'value');
check('wrong password', log_in('app', 'wrong'), false);
check('unknown user', log_in('nobody', 'se cret:x'), false);
check('no password', log_in(null, null), false);
exit($failed ? 1 : 0);
