<?php
/*
 * PHP sessions in Larder, by php-memcached's session handler with a login (SASL over the binary protocol).
 *
 *     larder-passwd users.toml add php --prefix sess:
 *     apt-get install php-memcached libsasl2-modules
 *     LARDER_SERVER=127.0.0.1:11211 LARDER_USER=php LARDER_PASSWORD=secret php -S 127.0.0.1:8080 php_sessions.php
 *
 * libmemcached, which is behind it, knows no TLS, and logs in over TCP only, not over a Unix socket. On the server's
 * machine connect to a listener of 127.0.0.1 without TLS (`-l 10.0.0.5,notls:127.0.0.1`). From another machine go
 * through a tunnel on your own one: stunnel.conf. The login is SCRAM where libsasl2-modules has it, so the password is
 * not sent; sessions are, so never connect over a network without the tunnel.
 *
 * In a project the lines of SETTINGS are in php.ini or the pool's configuration. `sess_locking` makes requests of one
 * session wait for each other; its locks are keys under the same prefix.
 *
 * Without the server a page is an error (503); what a request has changed is lost when the server goes before its end,
 * which PHP's log tells.
 *
 * Stale data: none is served. But a cache may forget: a session ends early when memory is short or the server crashes.
 * `-e` or `--memory-fd` keeps sessions over a restart.
 */

const SETTINGS = [
    'session.save_handler' => 'memcached',
    'session.gc_maxlifetime' => '1800',     // seconds; start anew at each visit
    'session.use_strict_mode' => '1',       // a name that the server has not given out is replaced
    'session.cookie_secure' => '1',         // for HTTPS; browsers take it from http://localhost, too
    'session.cookie_httponly' => '1',
    'session.cookie_samesite' => 'Lax',
    'memcached.sess_binary_protocol' => '1',
    'memcached.sess_prefix' => 'sess:',
    'memcached.sess_locking' => '1',
    'memcached.sess_lock_expire' => '30',
    'memcached.sess_lock_retries' => '200', // of 20 to 100 ms
    'memcached.sess_lock_wait_min' => '20',
    'memcached.sess_lock_wait_max' => '100',
];
foreach (SETTINGS as $name => $value) {
    ini_set($name, $value);
}
ini_set('session.save_path', getenv('LARDER_SERVER'));
ini_set('memcached.sess_sasl_username', getenv('LARDER_USER'));
ini_set('memcached.sess_sasl_password', getenv('LARDER_PASSWORD'));

try {
    $started = session_start();
} catch (Error) { // with strict mode, from a cache that cannot be reached or refuses the login
    $started = false;
}
if (!$started) {
    http_response_code(503);
    exit("no session\n");
}
switch (parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)) {
    case '/login':
        session_regenerate_id(true); // nobody can have planted this name
        $_SESSION['user'] = 'ann';   // a real application asks for a password before
        echo "welcome\n";
        break;
    case '/logout':
        session_destroy();
        echo "bye\n";
        break;
    default:
        $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
        echo ($_SESSION['user'] ?? 'stranger') . ", {$_SESSION['visits']} visits\n";
}
