"""The page of the admin port in a headless Chromium, under load: numbers change, nothing is an error, nothing overflows.

Usage: page.py LARDER [DIRECTORY]; with a directory, screenshots of each size and colour scheme are left in it.
Chromium is spoken to by its debugging protocol over a pipe, so only Python's own library is needed.
"""

import base64
import itertools
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

SIZES = [("desktop", 1280, 800), ("tablet", 800, 1100), ("phone", 390, 844)]
SCHEMES = ["light", "dark"]
PATIENCE_SECS = 60


class Browser:
    """A Chromium with one page."""

    def __init__(self, directory):
        (to_read, self.to), (self.back, to_write) = os.pipe(), os.pipe()

        def pipes():
            # Chromium reads from 3 and writes to 4. What has these numbers now may be the other's.
            high = [os.dup2(fd, place) for fd, place in ((to_read, 20), (to_write, 21))]
            for fd, place in zip(high, (3, 4)):
                os.dup2(fd, place)

        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
                 f"--user-data-dir={directory}/profile", "about:blank"]
        self.process = subprocess.Popen(["chromium", *flags], preexec_fn=pipes, close_fds=False,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read), os.close(to_write)
        self.numbers, self.pending, self.events, self.session = itertools.count(1), b"", [], None
        self.session = self.call("Target.attachToTarget", targetId=self.page(), flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def page(self):
        """The one page, which may be there only after Chromium answers."""
        deadline = time.monotonic() + PATIENCE_SECS
        while time.monotonic() < deadline:
            for target in self.call("Target.getTargets")["targetInfos"]:
                if target["type"] == "page":
                    return target["targetId"]
            time.sleep(0.05)
        sys.exit("chromium has no page")

    def read(self):
        while b"\0" not in self.pending:
            part = os.read(self.back, 1 << 16)
            if not part:
                sys.exit("chromium has ended")
            self.pending += part
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            sys.exit(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def await_that(self, what, expression, meanwhile=lambda: None):
        """Waits until the expression holds; until then `meanwhile` is done again and again."""
        deadline = time.monotonic() + PATIENCE_SECS
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                sys.exit(f"never happened: {what}: {self.evaluate('document.body.innerText')}")
            meanwhile()
            time.sleep(0.1)

    def complaints(self):
        """What went to the console or came as an error."""
        found = []
        for event in self.events:
            params = event.get("params", {})
            if event["method"] in ("Runtime.exceptionThrown", "Network.loadingFailed"):
                found.append(params)
            elif event["method"] == "Runtime.consoleAPICalled":
                found.append(params["args"])
            elif event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("warning", "error"):
                found.append(params["entry"])
        return found

    def close(self):
        self.process.kill()
        self.process.wait()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def load(port, stop):
    """Gets, sets, misses and expiring items over many size classes, until told to stop, whether the server is there or not."""
    seed = 1
    while not stop.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port)) as client, client.makefile("rb") as replies:
                while not stop.is_set():
                    batch = []
                    for _ in range(40):
                        seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
                        key, size = seed >> 9, 40 << (seed % 9)
                        batch.append(f"set page:{key % 40000} 0 {seed % 3 * 4} {size}\r\n{'x' * size}\r\n")
                        batch += [f"mg user:{key % 900} v\r\n", f"mg page:{key % 30000} s\r\n", "mg user:hot v\r\n"]
                    batch.append("set user:hot 0 0 2\r\nhi\r\nincr none 1\r\ndelete none\r\nmn\r\n")
                    client.sendall("".join(batch).encode())
                    while (reply := replies.readline()) != b"MN\r\n":
                        if not reply:
                            raise ConnectionError
                    time.sleep(0.01)
        except OSError:
            time.sleep(0.05)


# Texts with less contrast to what is behind them than WCAG 2.2 asks for (AA), which is 4.5 to 1 for small ones.
PALE = """(() => {
  const light = color => {
    const [r, g, b] = color.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const parts = color => color.match(/[\\d.]+/g).map(Number);
  const behind = e => { for (; e; e = e.parentElement) { const c = parts(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c.slice(0, 3); } };
  const texts = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && !e.closest('svg') && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  return texts.filter(e => {
    const [a, b] = [parts(getComputedStyle(e).color).slice(0, 3), behind(e)].map(light).sort((x, y) => y - x);
    return (a + .05) / (b + .05) < 4.5;
  }).map(e => e.textContent.trim().slice(0, 40));
})()"""


def check(browser, name, out):
    """One size and colour scheme of the open page."""
    overflow = browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if overflow > 0:
        sys.exit(f"{name}: {overflow} px wider than the window")
    cut = browser.evaluate("[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText)")
    if cut:
        sys.exit(f"{name}: tables that do not fit: {cut}")
    small = browser.evaluate(
        "[...document.querySelectorAll('h1,h2,dt,dd,td,th,li,p,summary')].filter(e => e.offsetParent && "
        "parseFloat(getComputedStyle(e).fontSize) < 10).length")
    if small:
        sys.exit(f"{name}: {small} texts too small to read")
    if pale := browser.evaluate(PALE):
        sys.exit(f"{name}: too pale to read: {pale}")
    if out:
        height = browser.evaluate("document.documentElement.scrollHeight")
        width = browser.evaluate("innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = browser.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        (out / f"admin-{name}.png").write_bytes(base64.b64decode(shot["data"]))


def check_lock(browser, larder, out, directory):
    """With a token the page shows nothing but a field for it; then it tells of logins that failed."""
    token = pathlib.Path(directory, "token")
    token.touch(mode=0o600)
    token.write_text("correct-horse-battery-staple\n")
    users = pathlib.Path(directory, "users")
    users.touch(mode=0o600)
    users.write_text("alice:secret\n")
    port, cache, pid_file = free_port(), free_port(), pathlib.Path(directory, "locked.pid")
    server = subprocess.Popen([larder, "-l", "127.0.0.1", "-p", str(cache), "-u", "root", "-Y", users, "--admin",
                               f"127.0.0.1:{port}", "--admin-token-file", token, "-P", pid_file])
    state = "document.querySelector('#state')?.textContent"
    give = ("document.querySelector('#token').value = {}; document.querySelector('#lock').requestSubmit(); 0")
    try:
        deadline = time.monotonic() + PATIENCE_SECS
        while not pid_file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        browser.call("Page.navigate", url=f"http://127.0.0.1:{port}/")
        browser.await_that("a locked page", f"{state} === 'locked' && document.querySelector('#lock').checkVisibility()")
        browser.evaluate(give.format("'wrong'"))
        browser.await_that("a wrong token", f"{state} === 'wrong token'")
        browser.evaluate(give.format("'correct-horse-battery-staple'"))
        browser.await_that("numbers", f"{state} === 'live' && !document.querySelector('#lock').checkVisibility()")
        failures = "document.querySelector('#failures').innerText"
        browser.await_that("no failed login", f"{failures}.includes('None has failed')")
        with socket.create_connection(("127.0.0.1", cache)) as client, client.makefile("rb") as replies:
            client.sendall(b"set x 0 0 11\r\nalice wrong\r\n")
            replies.readline()
        browser.await_that("a failed login", f"/wrong credentials\\s[0-9.]+\\s1$/m.test({failures})")
        check(browser, "logins", out)
    finally:
        server.terminate()
        server.wait()


def check_notices(browser, larder, directory):
    """What wants attention is said: a certificate of a few days, and a worker that waits for ever, as nobody reads its log."""
    port, admin, pid_file = free_port(), free_port(), pathlib.Path(directory, "noticed.pid")
    cert, key = pathlib.Path(directory, "cert.pem"), pathlib.Path(directory, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "20",
                    "-subj", "/CN=localhost", "-keyout", key, "-out", cert], check=True, capture_output=True)
    server = start(larder, port, admin, pid_file, "-vv", "-Z", "-o", f"ssl_chain_cert={cert},ssl_key={key}",
                   listen=f"notls:127.0.0.1:{port}", stderr=subprocess.PIPE)
    notices = "document.querySelector('#notices').innerText"
    try:
        browser.call("Page.navigate", url=f"http://127.0.0.1:{admin}/")
        browser.await_that("numbers", "document.querySelector('#state')?.textContent === 'live'")
        browser.await_that("a certificate", f"/^The certificate runs out in (19|20) days: /.test({notices})")
        if "worker" in (said := browser.evaluate(notices)):
            sys.exit(f"no worker is stuck, and the page says {said}")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"mn\r\n" * 4000)
            browser.await_that("a stuck worker", f"{notices}.includes('A worker has not answered')")
    finally:
        server.kill()
        server.wait()


def start(larder, port, admin, pid_file, *more, listen="127.0.0.1", **streams):
    """A server, once it serves."""
    pid_file.unlink(missing_ok=True)
    server = subprocess.Popen([larder, "-l", listen, "-p", str(port), "-u", "root", "-m", "24", "-D", ":",
                               "--admin", f"127.0.0.1:{admin}", "-P", pid_file, *more], **streams)
    deadline = time.monotonic() + PATIENCE_SECS
    while not pid_file.exists():
        if time.monotonic() > deadline or server.poll() is not None:
            server.kill()
            sys.exit("the server does not start")
        time.sleep(0.05)
    return server


# How often the page asks while it is looked at again and again, in one go, so that no other question counts. It does not
# ask when it waits for an answer already.
LOOKS = """(() => {
  const real = fetch;
  window.asked = 0;
  window.fetch = (...all) => { asked++; return real(...all); };
  for (let i = 0; i < 20; i++) document.dispatchEvent(new Event('visibilitychange'));
  window.fetch = real;
  return asked;
})()"""


def check_outage(browser, server, restart, port):
    """The page says that the server is gone and since when, and goes on when it is back, with a gap in each line."""
    state = "document.querySelector('#state').textContent"
    notices = "document.querySelector('#notices').innerText"
    runs = "document.querySelector('#requests .plot').getAttribute('d').split('M').length - 1"
    busy = "document.querySelector('#tiles dd').textContent !== '–'"
    runs_before = browser.evaluate(runs)
    server.kill()
    server.wait()
    browser.await_that("an outage", f"{state} === 'no answer' && {notices}.startsWith('No answer since')")
    if "no answer" not in (title := browser.evaluate("document.title")):
        sys.exit(f"the title says {title} while the server is gone")
    restart()
    browser.await_that("the server again", f"{state} === 'live' && {busy} && {runs} > {runs_before}")
    # Counters that fall are no rates. As high again before the page asks they have not fallen, so they do it until it sees.
    runs_before = browser.evaluate(runs)
    with socket.create_connection(("127.0.0.1", port)) as client, client.makefile("rb") as replies:
        def reset():
            client.sendall(b"stats reset\r\n")
            replies.readline()

        browser.await_that("a reset", f"!({busy}) || {runs} > {runs_before}", reset)
    browser.await_that("rates after the reset", f"{busy} && {runs} > {runs_before}")
    if notices_now := [text for text in browser.evaluate(notices).split("\n") if "answer" in text]:
        sys.exit(f"the server is back, and the page says {notices_now}")
    # An hour later, as after a sleep: nothing is shown of before, and no rate is taken over it.
    browser.evaluate("{ const now = Date.now; Date.now = () => now() + 3600e3; 0 }")
    browser.await_that("a fresh beginning", f"{runs} === 1 && {busy}")
    # Nobody asks twice at a time, however often the page is looked at again.
    browser.await_that("a question", LOOKS)
    if (asked := browser.evaluate("asked")) > 1:
        sys.exit(f"{asked} questions at a time")
    browser.evaluate("document.querySelector('#pause').click(); 0")
    browser.await_that("a pause", f"{state} === 'paused' && document.querySelector('#pause').ariaPressed === 'true'")
    browser.evaluate("document.querySelector('#pause').click(); 0")
    browser.await_that("its end", f"{state} === 'live'")


def check_page(larder, out, directory):
    port, admin, pid_file = free_port(), free_port(), pathlib.Path(directory, "pid")
    servers = [start(larder, port, admin, pid_file)]
    stop, browser = threading.Event(), None
    threads = [threading.Thread(target=load, args=(port, stop)) for _ in range(3)]
    try:
        for thread in threads:
            thread.start()
        browser = Browser(directory)
        browser.call("Page.navigate", url=f"http://127.0.0.1:{admin}/")
        tile = "document.querySelectorAll('#tiles dd')[{}].textContent"
        browser.await_that("numbers", f"document.querySelector('#state')?.textContent === 'live' && {tile.format(4)} !== '–'")
        first = browser.evaluate(tile.format(1))
        browser.await_that("a number that changes", f"{tile.format(1)} !== {json.dumps(first)}")
        points = "document.querySelector('#requests .plot').getAttribute('d').split('L').length"
        browser.await_that("a line", f"{points} > {25 if out else 3}")
        browser.await_that("hot keys", "document.querySelectorAll('#keys tbody tr').length > 0")
        browser.await_that("prefixes", "document.querySelectorAll('#prefixes tbody tr').length === 2")
        unnamed = browser.evaluate("[...document.querySelectorAll('svg')].filter(s => s.checkVisibility() && !s.querySelector('title').textContent).length")
        if unnamed:
            sys.exit(f"{unnamed} charts say nothing to those who cannot see them")
        for scheme, (size, width, height) in itertools.product(SCHEMES, SIZES):
            browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                         mobile=size == "phone")
            time.sleep(0.3)
            check(browser, f"{size}-{scheme}", out)
        if browser.evaluate("document.querySelector('#failures').checkVisibility()"):
            sys.exit("failed logins are shown where no login is asked for")
        if complaints := browser.complaints():
            sys.exit(f"the page complains: {complaints}")
        check_outage(browser, servers[0], lambda: servers.append(start(larder, port, admin, pid_file)), port)
        check_lock(browser, larder, out, directory)
        check_notices(browser, larder, directory)
    finally:
        stop.set()
        if browser:
            browser.close()
        # One that is left would keep open what this writes to.
        for server in servers:
            server.terminate()
            server.wait()
        for thread in threads:
            if thread.ident:
                thread.join()


if __name__ == "__main__":
    place = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    if place:
        place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        check_page(sys.argv[1], place, scratch)
    print("ok")
