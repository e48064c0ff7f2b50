<?php
// php-memcached (libmemcached and Cyrus SASL) against the server on a port: `php_client.php MECHANISMS PORT`, the first
// word only for the names of the checks.

[, $mechanisms, $port] = $argv;
$user = getenv('LOGIN_USER');
$password = getenv('LOGIN_PASSWORD');
$failed = 0;

function check(string $name, bool $holds, $got): void
{
    global $failed, $mechanisms;
    if (!$holds) {
        $failed++;
    }
    echo $holds ? "ok php-memcached, $mechanisms: $name\n"
        : "FAILED php-memcached, $mechanisms: $name: " . var_export($got, true) . "\n";
}

function client(?string $user, ?string $password): Memcached
{
    global $port;
    $client = new Memcached();
    $client->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
    $client->addServer('127.0.0.1', (int) $port);
    if ($user !== null) {
        $client->setSaslAuthData($user, $password);
    }
    return $client;
}

$right = client($user, $password);
$got = [$right->set('php', 'value', 60), $right->get('php'), $right->getResultMessage()];
check('right password', $got === [true, 'value', 'SUCCESS'], $got);

foreach (['wrong password' => [$user, "{$password}x"], 'unknown user' => ["{$user}x", $password]] as $name => $login) {
    $client = client(...$login);
    $got = [$client->get('php'), $client->getResultCode()];
    check("$name is refused", $got === [false, Memcached::RES_AUTH_FAILURE], $got);
}
$none = client(null, null);
$got = [$none->set('php', 'other', 60), $none->getResultCode()]; // a `get` would take the refusal for a miss
check('no password is refused', $got === [false, Memcached::RES_AUTH_FAILURE], $got);
exit($failed === 0 ? 0 : 1);
