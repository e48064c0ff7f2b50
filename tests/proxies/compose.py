"""packaging/compose: the file is what the Compose specification allows, and both programs take what it gives them.

No container is started; the health check's script runs here, against nodes and a proxy of ours.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from ruamel.yaml import YAML

from checks import Checks  # of tests/clients
from nodes import Process, Twemproxy, free_port, three_nodes

FOLDER = pathlib.Path(__file__).parents[2] / "packaging" / "compose"
SERVICES = ["node1", "node2", "node3"]


def main():
    check = Checks("compose")
    schema = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", FOLDER / "compose.yaml"]
    judged = subprocess.run([sys.executable, *schema], capture_output=True, text=True)
    check.that("the specification's schema", judged.returncode or judged.stdout.strip(), "ok -- validation done")
    parsed = subprocess.run(["nutcracker", "-t", "-c", FOLDER / "nutcracker.yml"], capture_output=True, text=True)
    check.that("nutcracker takes its file", (parsed.returncode, "syntax is ok" in parsed.stderr), (0, True))

    compose = YAML(typ="safe").load(FOLDER / "compose.yaml")
    pool = YAML(typ="safe").load(FOLDER / "nutcracker.yml")["larder"]
    services = compose["services"]
    address = {name: service["networks"]["cache"]["ipv4_address"] for name, service in services.items()}
    check.that("the pool has the nodes", pool["servers"], [f"{address[name]}:11211:1 {name}" for name in SERVICES])
    check.that("the proxy listens where its port leads", services["proxy"]["ports"], ["127.0.0.1:22121:22121"])
    check.that("the proxy listens there", pool["listen"], "0.0.0.0:22121")
    for name in SERVICES:
        command = services[name]["command"]
        check.that(f"{name} lets the proxy in alone", command[command.index("--allow") + 1], address["proxy"])
        limit = int(command[command.index("-m") + 1]) + 64
        check.that(f"{name} has memory for -m and 64 MiB", services[name]["mem_limit"], f"{limit}m")
    serves(check, services["node1"]["command"], address["proxy"])
    healthy(check, services["proxy"]["healthcheck"]["test"], address)
    check.end()


def serves(check, command, proxy):
    """The flags, with this machine's addresses in the place of the containers'."""
    port = free_port()
    places = {"0.0.0.0": "127.0.0.1", "11211": str(port), proxy: "127.0.0.1"}
    user = ["-u", "root"] if os.geteuid() == 0 else []
    node = Process([os.environ["LARDER"], *(places.get(word, word) for word in command), *user], port, "a node")
    check.that("larder serves with these flags", node.ready().process.poll(), None)
    node.end()


def healthy(check, test, address):
    with three_nodes() as nodes:
        proxy = Twemproxy(nodes)
        script = test[3].replace("$$", "$").replace("127.0.0.1/22121", f"127.0.0.1/{proxy.port}")
        for name, node in zip(SERVICES, nodes):
            script = script.replace(f"{address[name]}/11211", f"127.0.0.1/{node.port}")
        with tempfile.TemporaryDirectory() as folder:
            run = lambda: subprocess.run([*test[1:3], script], cwd=folder, capture_output=True).returncode
            check.that("health: all answer", run(), 0)
            nodes[2].kill()
            check.that("health: a node is lost", run() != 0, True)
            nodes[2].start()
            check.that("health: it is back", run(), 0)
            proxy.end()
            check.that("health: the proxy is lost", run() != 0, True)


main()
