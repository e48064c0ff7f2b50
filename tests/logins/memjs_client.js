// memjs (binary protocol, PLAIN) against the server on the port given as argument.
'use strict';

const memjs = require('memjs');
const { check, outcome, logins, end } = require('./checks.js');

const address = `127.0.0.1:${process.argv[2]}`;
const quiet = { log() {} };
const options = { retries: 1, timeout: 5, logger: quiet };

async function main() {
    const { LOGIN_USER: username, LOGIN_PASSWORD: password } = process.env;
    const client = memjs.Client.create(address, { ...options, username, password });
    const set = await outcome(client.set('memjs', 'value', { expires: 60 }));
    check('memjs right password, set', set === true, set);
    const got = await outcome(client.get('memjs'));
    check('memjs right password, get', String(got.value) === 'value', got);

    for (const [name, login] of logins()) {
        const other = memjs.Client.create(address, { ...options, ...login });
        const refusal = await outcome(other.get('memjs'));
        check(`memjs ${name} is refused`, /authentication failed/.test(String(refusal)), refusal);
    }
    const none = await outcome(memjs.Client.create(address, options).get('memjs'));
    check('memjs no password is refused', /authentication/i.test(String(none)), none);
    end();
}

main();
