<?php
// php-memcached, which is libmemcached, over the text protocol against the server on the port given.

$client = new Memcached();
$client->setOption(Memcached::OPT_TCP_NODELAY, true);
$client->addServer('127.0.0.1', (int) $argv[1]);

function check(bool $holds, string $what): void
{
    global $client;
    if (!$holds) {
        fwrite(STDERR, "$what: {$client->getResultMessage()}\n");
        exit(1);
    }
}

check($client->set('k', 'value') && $client->get('k') === 'value', 'set and get');
check($client->get('none') === false && $client->getResultCode() === Memcached::RES_NOTFOUND, 'a miss');
check(!$client->add('k', 'x') && $client->replace('k', 'new'), 'add and replace');
$client->setOption(Memcached::OPT_COMPRESSION, false);
check($client->set('s', 'b') && $client->append('s', 'c') && $client->prepend('s', 'a'), 'append and prepend');
check($client->get('s') === 'abc', 'what they made');

$got = $client->get('k', null, Memcached::GET_EXTENDED);
check($client->cas($got['cas'], 'k', 'swapped') && !$client->cas($got['cas'], 'k', 'late'), 'cas');
check($client->getResultCode() === Memcached::RES_DATA_EXISTS, 'the late cas');

$many = [];
for ($n = 0; $n < 1000; $n++) {
    $many["many-$n"] = ['n' => $n, 'text' => str_repeat('x', $n % 100)];
}
check($client->setMulti($many), 'set of 1,000 keys');
check($client->getMulti(array_keys($many)) == $many, 'get of 1,000 keys');

check($client->set('n', 41) && $client->increment('n') === 42 && $client->decrement('n', 100) === 0, 'incr and decr');
check($client->touch('k', 100) && !$client->touch('none', 100), 'touch');
check($client->delete('n') && !$client->delete('n'), 'delete');

$large = str_repeat("0123456789", 100000);
check($client->set('large', $large) && $client->get('large') === $large, 'a value of 1 MB');
check(!$client->set('large', str_repeat('x', 1 << 20)), 'a value above the limit');
check($client->get('large') === false && $client->get('k') === 'swapped', 'what is there after it');

check($client->set('past', 'x', -1) && $client->get('past') === false, 'an expiry in the past');
check($client->set('soon', 'x', time() + 2) && $client->get('soon') === 'x', 'an expiry to come');
check(count($client->getStats()) === 1 && count($client->getVersion()) === 1, 'stats and version');
check($client->flush() && $client->get('k') === false, 'flush');
echo "php-memcached: set add replace append prepend cas multiget(1000) incr touch delete 1 MB expiry stats flush\n";
