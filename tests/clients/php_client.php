<?php
// php-memcached (libmemcached) in its text protocol against the server on the port given as argument.

const LARGEST = 1048514; // see pymemcache_client.py

$failed = 0;

function check(string $name, $got, $expected): void
{
    global $failed;
    if ($got === $expected) {
        echo "ok php-memcached $name\n";
        return;
    }
    $failed++;
    $show = fn($value) => substr(var_export($value, true), 0, 200);
    echo "FAILED php-memcached $name: expected {$show($expected)}, got {$show($got)}\n";
}

$client = new Memcached();
$client->setOption(Memcached::OPT_COMPRESSION, false);
$client->setOption(Memcached::OPT_TCP_NODELAY, true);
$client->addServer('127.0.0.1', (int) $argv[1]);

check('set', $client->set('k', 'value'), true);
check('get', $client->get('k'), 'value');
check('get of a missing key', [$client->get('missing'), $client->getResultCode()], [false, Memcached::RES_NOTFOUND]);
check('set of an array', [$client->set('array', ['a' => 1]), $client->get('array')], [true, ['a' => 1]]);
check('add over an item', $client->add('k', 'other'), false);
check('replace', $client->replace('k', 'new'), true);
check('append', $client->append('k', '>'), true);
check('prepend', $client->prepend('k', '<'), true);
check('the joined value', $client->get('k'), '<new>');

$items = [];
for ($number = 0; $number < 1000; $number++) {
    $items["key_$number"] = "value $number";
}
check('setMulti of 1,000 keys', $client->setMulti($items), true);
check('getMulti of 1,000 keys', $client->getMulti(array_keys($items), Memcached::GET_PRESERVE_ORDER), $items);
check('deleteMulti', $client->deleteMulti(['key_1', 'key_2']), ['key_1' => true, 'key_2' => true]);

$read = $client->get('k', null, Memcached::GET_EXTENDED);
check('cas with the unique that was read', $client->cas($read['cas'], 'k', 'swapped'), true);
check('cas with an old unique', [$client->cas($read['cas'], 'k', 'again'), $client->getResultCode()],
    [false, Memcached::RES_DATA_EXISTS]);
check('the swapped value', $client->get('k'), 'swapped');

$client->set('n', 10);
check('increment', $client->increment('n', 5), 15);
check('decrement', $client->decrement('n', 20), 0);
check('touch', $client->touch('k', 100), true);
check('touch of a missing key', $client->touch('missing', 100), false);
check('delete', $client->delete('k'), true);
check('delete of a missing key', $client->delete('k'), false);

$large = str_repeat('z', LARGEST);
check('set of the largest value', $client->set('big', $large), true);
check('get of the largest value', $client->get('big') === $large, true);
check('set of a value too large', [$client->set('big', $large . 'x'), $client->getResultCode()], [false, Memcached::RES_E2BIG]);
check('the old value is gone then', $client->get('big'), false);

$client->set('short', 'lived', 1);
$deadline = microtime(true) + 10;
while ($client->get('short') !== false && microtime(true) < $deadline) {
    usleep(50000);
}
check('expiry', $client->get('short'), false);

$quiet = new Memcached();
$quiet->setOption(Memcached::OPT_NOREPLY, true);
$quiet->addServer('127.0.0.1', (int) $argv[1]);
check('set with noreply', $quiet->set('quiet', 'x'), true);
check('append with noreply', [$quiet->setOption(Memcached::OPT_COMPRESSION, false), $quiet->append('quiet', 'y')], [true, true]);
check('what noreply commands left', $quiet->get('quiet'), 'xy');

$versions = $client->getVersion();
check('version', str_starts_with(reset($versions), '1.6.'), true);
$stats = $client->getStats();
check('stats', (int) reset($stats)['curr_items'] > 900, true);
check('flush', $client->flush(), true);
exit($failed === 0 ? 0 : 1);
