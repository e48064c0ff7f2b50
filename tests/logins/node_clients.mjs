// memjs and npm's memcache log in to the server on the port given as argument. Run where their modules are.

import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const memjs = require("memjs");
const { MemcacheNode } = require("memcache");

const port = Number(process.argv[2]);
let failed = 0;

function check(name, got, expected) {
  if (got === expected) {
    console.log(`ok ${name}`);
  } else {
    failed += 1;
    console.log(`FAILED ${name}: expected ${expected}, got ${got}`);
  }
}

const within = (promise) =>
  Promise.race([promise, new Promise((resolve) => setTimeout(() => resolve("no answer"), 5000).unref())]);

async function memjsLogin(options) {
  const client = memjs.Client.create(`127.0.0.1:${port}`, { retries: 1, timeout: 2, logger: { log() {} }, ...options });
  try {
    await client.set("k", "value", {});
    return String((await client.get("k")).value);
  } catch (error) {
    return "refused";
  } finally {
    client.close();
  }
}

async function memcacheLogin(sasl) {
  const node = new MemcacheNode("127.0.0.1", port, { sasl, timeout: 2000 });
  node.on("error", () => {});
  try {
    await node.connect();
    await node.binarySet("k", "value");
    return String(await node.binaryGet("k"));
  } catch (error) {
    return "refused";
  } finally {
    await node.disconnect().catch(() => {});
  }
}

for (const [name, login] of [["memjs", memjsLogin], ["npm memcache", memcacheLogin]]) {
  check(`${name} right password`, await within(login({ username: "app", password: "se cret:x" })), "value");
  check(`${name} wrong password`, (await within(login({ username: "app", password: "wrong" }))) === "value", false);
  check(`${name} unknown user`, (await within(login({ username: "nobody", password: "se cret:x" }))) === "value", false);
}
check("memjs no password", (await within(memjsLogin({}))) === "value", false);
process.exit(failed ? 1 : 0);
