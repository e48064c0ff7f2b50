"""Debian's Prometheus scrapes servers after some requests: in the clear, over HTTPS with a token, with a certificate.

    scrape.py LARDER

Prometheus has to know all three as up, with the figures that `stats` has, and promtool finds nothing in what they
serve.
"""

import json
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from page import PATIENCE_SECS, free_port

TOKEN = "correct-horse-battery-staple"

# What was asked for, by Prometheus' expressions, after `load`. Rates would want time.
EXPECTED = {
    "up": "1",
    'memcached_commands_total{command="set",status="hit"}': "300",
    'memcached_commands_total{command="get",status="hit"}': "200",
    'memcached_commands_total{command="get",status="miss"}': "100",
    'memcached_commands_total{command="incr",status="miss"}': "1",
    "memcached_current_items": "300",
    'larder_auth_failures_total{reason="wrong_credentials"}': "1",
    "larder_auth_attempts_total": "2",
    "larder_shard_items": "300",
}


def make_certificates(folder):
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority")
    for name in ("server", "prometheus"):
        openssl("req", *key, "-keyout", f"{name}.key", "-subj", f"/CN={name}", "-out", f"{name}.csr",
                "-addext", "subjectAltName=DNS:localhost")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2",
                "-copy_extensions", "copyall", "-out", f"{name}.pem")


def load(port):
    """Some of each, with a login that fails and one that does not."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECS) as client, client.makefile("rb") as replies:
        def ask(text, last):
            client.sendall(text.encode())
            while not (line := replies.readline()).startswith(last.encode()):
                if not line:
                    sys.exit(f"the server hung up at: {text[:50]}")

        ask("set x 0 0 9\r\napp wrong\r\n", "CLIENT_ERROR")
        ask("set x 0 0 10\r\napp secret\r\n", "STORED")
        ask("".join(f"set key{n} 0 0 {n * 40}\r\n{'x' * n * 40}\r\n" for n in range(300)) + "mn\r\n", "MN")
        ask("".join(f"get key{n}\r\n" for n in range(100, 400)) + "incr none 1\r\nmn\r\n", "MN")


def is_told_by_all(port, expression, expected):
    """Whether Prometheus has these values by job; otherwise those that it has."""
    query = urllib.parse.urlencode({"query": f"sum by (job) ({expression})"})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=PATIENCE_SECS) as answer:
        found = {series["metric"]["job"]: series["value"][1] for series in json.load(answer)["data"]["result"]}
    return found == expected or found


def await_that(what, condition):
    deadline = time.monotonic() + PATIENCE_SECS
    while True:
        try:
            got = condition()
        except OSError as error:
            got = error
        if got is True:
            return
        if time.monotonic() > deadline:
            sys.exit(f"waited for {what}: {got}")
        time.sleep(0.1)


def start_nodes(larder, folder, processes):
    """A server for each way to be asked, after its requests: what to tell Prometheus of them."""
    jobs = {
        "plain": (["--admin", "127.0.0.1:{}"], {}),
        "token": (["--admin", "tls:127.0.0.1:{}", "--admin-token-file", "token"], {
            "scheme": "https", "authorization": {"credentials_file": "token"}, "tls_config": {"ca_file": "ca.pem"}}),
        "certificate": (["--admin", "mtls:127.0.0.1:{}"], {
            "scheme": "https",
            "tls_config": {"ca_file": "ca.pem", "cert_file": "prometheus.pem", "key_file": "prometheus.key"}}),
    }
    configs = []
    for name, (flags, config) in jobs.items():
        port, admin = free_port(), free_port()
        processes.append(subprocess.Popen(
            [larder, "-l", "127.0.0.1", "-p", str(port), "-u", "root", "-Y", "users", "-P", f"{name}.pid",
             "-o", "ssl_chain_cert=server.pem,ssl_key=server.key,ssl_ca_cert=ca.pem",
             *(flag.format(admin) for flag in flags)], cwd=folder))
        await_that(f"the server for {name}", (folder / f"{name}.pid").exists)
        load(port)
        targets = [{"targets": [f"localhost:{admin}"]}]
        configs.append({"job_name": name, "scrape_interval": "1s", "static_configs": targets, **config})
    return configs


def check_exposition(folder, config):
    """What was served after requests pleases promtool, too."""
    [address] = config["static_configs"][0]["targets"]
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "prometheus.pem", folder / "prometheus.key")
    with urllib.request.urlopen(f"https://{address}/metrics", timeout=PATIENCE_SECS, context=context) as answer:
        judged = subprocess.run(["promtool", "check", "metrics"], input=answer.read(), capture_output=True)
    if judged.returncode or judged.stdout or judged.stderr:
        sys.exit(f"promtool says of a server in use: {judged.stdout.decode()}{judged.stderr.decode()}")


def main(larder):
    processes = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        make_certificates(folder)
        for name, text in [("token", TOKEN), ("users", "app:secret\n")]:
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(text)
        try:
            configs = start_nodes(pathlib.Path(larder).resolve(), folder, processes)
            check_exposition(folder, configs[-1])
            (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": configs}))
            port = free_port()
            processes.append(subprocess.Popen(
                ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn",
                 f"--web.listen-address=127.0.0.1:{port}"], cwd=folder))
            names = [config["job_name"] for config in configs]
            for expression, value in EXPECTED.items():
                await_that(expression, lambda: is_told_by_all(port, expression, dict.fromkeys(names, value)))
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()
    print(f"Prometheus has scraped {len(names)} servers, {len(EXPECTED)} figures are right")


if __name__ == "__main__":
    main(sys.argv[1])
