// examples/node_memcache.js, with the connection that the environment names.
'use strict';

const { execFileSync } = require('node:child_process');
const { isDeepStrictEqual } = require('node:util');
const { check, end, outcome } = require('../logins/checks.js');
const example = require.resolve('../../examples/node_memcache.js');
const { Loader, connect } = require(example);

const same = (name, got, expected) => check(`npm memcache ${name}`, isDeepStrictEqual(got, expected), JSON.stringify(got));

async function main() {
    const printed = execFileSync('node', [example], { encoding: 'utf8' });
    same('runs', printed, "loading\n[ 'Paris', 'Paris', 'Paris' ]\n");

    const node = await connect();
    const loader = new Loader(node);
    let loads = 0;
    let answer;
    const load = () => {
        loads += 1;
        return new Promise((resolve) => (answer = resolve));
    };
    await loader.forget('node:shop');
    const all = Array.from({ length: 20 }, () => loader.get('node:shop', load));
    while (answer === undefined) await new Promise(setImmediate);
    answer({ cents: 2500 });
    same('twenty misses at once', await Promise.all(all), Array(20).fill({ cents: 2500 }));
    same('load once', loads, 1);
    same('a hit does not load', await loader.get('node:shop', load), { cents: 2500 });
    same('nor does another process', await new Loader(await connect()).get('node:shop', load), { cents: 2500 });
    await loader.forget('node:shop');
    same('a delete is seen at once', await loader.get('node:shop', async () => 'new'), 'new');
    const failing = await outcome(loader.get('node:other', () => Promise.reject(new Error('database'))));
    same('a loader that fails is told', failing.message, 'database');
    same('and asked again', await loader.get('node:other', async () => 'there'), 'there');

    process.env.LARDER_PASSWORD += 'x';
    const refusal = await outcome(connect());
    check('npm memcache wrong password is refused', /authentication failed/i.test(String(refusal)), refusal);
    end();
}

main();
