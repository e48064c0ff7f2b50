// npm's memcache (binary protocol and PLAIN under `sasl`, else text) against the server on the port given as argument.
'use strict';

const { Memcache } = require('memcache');
const { check, outcome, logins, end } = require('./checks.js');

const address = `127.0.0.1:${process.argv[2]}`;

function client(sasl) {
    const made = new Memcache({ nodes: [address], sasl, timeout: 5000, retries: 0 });
    made.on('error', () => {});
    return made;
}

async function main() {
    const { LOGIN_USER: username, LOGIN_PASSWORD: password } = process.env;
    const right = client({ username, password });
    await outcome(right.connect());
    const [node] = right.nodes;
    const set = await outcome(node.binarySet('node', 'value', 60));
    check('npm memcache right password, set', set === true, set);
    const got = await outcome(node.binaryGet('node'));
    check('npm memcache right password, get', got === 'value', got);

    for (const [name, login] of logins()) {
        const other = client(login);
        const refusal = await outcome(other.nodes[0].connect());
        check(`npm memcache ${name} is refused`, /authentication failed/i.test(String(refusal)), refusal);
    }
    const none = client(undefined);
    const [bare] = none.nodes;
    await bare.connect();
    const refusal = await outcome(bare.command('set node 0 60 1\r\nx'));
    check('npm memcache no password is refused', refusal instanceof Error, refusal);
    end();
}

main();
