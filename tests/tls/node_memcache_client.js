// npm's memcache over TLS; with TLS_LOGIN in the binary protocol with PLAIN, else in text.
'use strict';

const fs = require('node:fs');
const { Memcache } = require('memcache');
const { check, outcome, end } = require('../logins/checks.js');

const { TLS_CERTIFICATES: folder, TLS_SHOW: show, TLS_LOGIN, LOGIN_USER: username, LOGIN_PASSWORD: password } = process.env;
const read = (name) => fs.readFileSync(`${folder}/${name}`);

function client(sasl, trust = 'authority') {
    const tls = { ca: read(`${trust}.pem`), servername: 'localhost' };
    if (show) Object.assign(tls, { cert: read(`${show}.pem`), key: read(`${show}.key`) });
    const made = new Memcache({ nodes: [`localhost:${process.argv[2]}`], sasl, tls, timeout: 5000, retries: 0 });
    made.on('error', () => {});
    return made;
}

async function main() {
    const right = client(TLS_LOGIN ? { username, password } : undefined);
    await outcome(right.connect());
    const [node] = right.nodes;
    for (const length of [1, 1000, 100000, 1000000]) {
        const value = 'x'.repeat(length);
        const set = await outcome(TLS_LOGIN ? node.binarySet('node', value, 60) : right.set('node', value));
        check(`npm memcache set of ${length} bytes`, set === true, set);
        const got = await outcome(TLS_LOGIN ? node.binaryGet('node') : right.get('node'));
        check(`npm memcache get of ${length} bytes`, got === value, String(got).slice(0, 100));
    }
    if (TLS_LOGIN) {
        const wrong = client({ username, password: `${password}x` });
        const refusal = await outcome(wrong.nodes[0].connect());
        check('npm memcache wrong password is refused', /authentication failed/i.test(String(refusal)), refusal);
    }
    const refusal = await outcome(client(undefined, 'stranger-authority').nodes[0].connect());
    check('npm memcache refuses a server of another authority', /certificate/.test(String(refusal)), refusal);
    end();
}

main();
