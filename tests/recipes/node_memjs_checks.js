// examples/node_memjs.js through the tunnel of examples/stunnel.conf.
'use strict';

const { execFileSync } = require('node:child_process');
const { isDeepStrictEqual } = require('node:util');
const { check, end, outcome } = require('../logins/checks.js');
const example = require.resolve('../../examples/node_memjs.js');
const { connect, count } = require(example);

const same = (name, got, expected) => check(`memjs ${name}`, isDeepStrictEqual(got, expected), JSON.stringify(got));

async function main() {
    const run = () => Number(execFileSync('node', [example], { encoding: 'utf8' }).match(/^visits today: (\d+)$/m)[1]);
    const first = run();
    same('runs', run(), first + 1);

    const clients = Array.from({ length: 4 }, connect);
    await clients[0].delete('visits:test');
    same('the first one is 1', await count(clients[0], 'visits:test'), 1);
    const counts = await Promise.all(Array.from({ length: 40 }, (_, number) => count(clients[number % 4], 'visits:test')));
    same('many at once are counted one by one', counts.sort((a, b) => a - b), Array.from({ length: 40 }, (_, n) => n + 2));

    process.env.LARDER_PASSWORD += 'x';
    const refusal = await outcome(count(connect(), 'visits:test'));
    check('memjs wrong password is refused', /authentication failed/.test(String(refusal)), refusal);
    end();
}

main();
