<?php
// php-memcached (libmemcached) with libketama's points, for hashing.py: one call a line as JSON, one answer a line.
//
//   hashing_client.php stays|leaves PORT...

$client = new Memcached();
$client->setOption(Memcached::OPT_COMPRESSION, false);
$client->setOption(Memcached::OPT_TCP_NODELAY, true);
$client->setOption(Memcached::OPT_LIBKETAMA_COMPATIBLE, true);
$client->setOption(Memcached::OPT_RETRY_TIMEOUT, 1);
if ($argv[1] === 'leaves') {
    $client->setOption(Memcached::OPT_SERVER_FAILURE_LIMIT, 1);
    $client->setOption(Memcached::OPT_REMOVE_FAILED_SERVERS, true);
    $client->setOption(Memcached::OPT_DEAD_TIMEOUT, 1);
}
foreach (array_slice($argv, 2) as $port) {
    $client->addServer('127.0.0.1', (int) $port);
}

while (($line = fgets(STDIN)) !== false) {
    $words = json_decode($line);
    switch ($words[0]) {
        case 'get':
            $answer = $client->get($words[1]);
            if ($answer === false) {
                $answer = $client->getResultCode() === Memcached::RES_NOTFOUND ? null : 'error';
            }
            break;
        case 'set':
            $answer = $client->set($words[1], $words[2]);
            break;
        case 'get_many':
            // An object also when it is empty.
            $answer = (object) ($client->getMulti($words[1]) ?: []);
            break;
    }
    echo json_encode($answer), "\n";
}
