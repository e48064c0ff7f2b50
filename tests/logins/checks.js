// What the Node scripts share: one line for each check; the runner counts the lines.
'use strict';

let failed = 0;

exports.check = (name, holds, got) => {
    if (!holds) failed++;
    console.log(holds ? `ok ${name}` : `FAILED ${name}: ${String(got)}`);
};

// What a promise came to: its value, or the error.
exports.outcome = async (promise) => {
    try {
        return await promise;
    } catch (error) {
        return error;
    }
};

// Sockets that a client left open would keep the process.
exports.end = () => process.exit(failed === 0 ? 0 : 1);

exports.logins = () => {
    const { LOGIN_USER: user, LOGIN_PASSWORD: password } = process.env;
    return [
        ['wrong password', { username: user, password: `${password}x` }],
        ['unknown user', { username: `${user}x`, password }],
    ];
};
