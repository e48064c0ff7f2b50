"""examples/php_sessions.php under PHP's own web server, with the login of a user who reaches `sess:` alone."""

import http.cookiejar
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

from larder_client import server
from recipes import EXAMPLES, WAIT_SECS, Checks, Meta, seconds_left, together

check = Checks("php sessions")
COMMAND = ["php", "-S", "127.0.0.1:0", EXAMPLES / "php_sessions.php"]


class Site:
    """The page, served by as many processes as there are readers at once."""

    def __init__(self, **environment):
        settings = os.environ | {"PHP_CLI_SERVER_WORKERS": "4", "LARDER_SERVER": "%s:%d" % server()} | environment
        # A group of its own: it leaves its workers behind when it alone is ended.
        self.process = subprocess.Popen(
            COMMAND, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=settings, process_group=0
        )
        self.address = None
        while self.address is None:
            line = self.process.stderr.readline()
            assert line, "php -S has ended"
            found = re.search(r"\((http://[^)]*)\) started", line)
            self.address = found and found[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.communicate(timeout=WAIT_SECS)


class Browser:
    def __init__(self, site, cookie=None):
        # As a browser does with localhost.
        policy = http.cookiejar.DefaultCookiePolicy(secure_protocols=("https", "http"))
        self.site, self.jar = site, http.cookiejar.CookieJar(policy)
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        if cookie:
            self.opener.addheaders.append(("Cookie", f"PHPSESSID={cookie}"))

    def ask(self, path="/"):
        try:
            with self.opener.open(self.site.address + path, timeout=WAIT_SECS) as answer:
                return answer.read().decode().strip()
        except urllib.error.HTTPError as error:
            return f"status {error.code}"

    def cookie(self):
        return next(iter(self.jar), None)

    def name(self):
        return self.cookie() and self.cookie().value


def check_all(site):
    visitor = Browser(site)
    check.that("visits are counted", [visitor.ask() for _ in range(2)], ["stranger, 1 visits", "stranger, 2 visits"])
    check.that("the cookie is for HTTPS", visitor.cookie().secure, True)
    before = visitor.name()
    check.that("a login", visitor.ask("/login"), "welcome")
    check.that("gives a new name", visitor.name() not in (None, before), True)
    check.that("and ends the old one", Browser(site, before).ask(), "stranger, 1 visits")
    check.that("and keeps what was there", visitor.ask(), "ann, 3 visits")
    key = f"sess:{visitor.name()}"
    check.that("the session has half an hour", (seconds_left(key) or 0) > 1770, True)
    Meta().ask(f"mg {key} T100")
    visitor.ask()
    check.that("which starts anew at a visit", (seconds_left(key) or 0) > 1770, True)
    planted = Browser(site, "a" * 26)
    planted.ask()
    check.that("a name that a stranger chose is replaced", planted.name() not in (None, "a" * 26), True)

    THREADS, EACH = 4, 5
    said = together(THREADS, lambda _: [Browser(site, visitor.name()).ask() for _ in range(EACH)])
    counts = sorted(int(line.split()[1]) for lines in said for line in lines)
    check.that("visits at once are counted one by one", counts, list(range(5, 5 + THREADS * EACH)))

    copied = Browser(site, visitor.name())
    check.that("a logout", visitor.ask("/logout"), "bye")
    check.that("ends the session, also of a copied cookie", copied.ask(), "stranger, 1 visits")


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # of `timeout`: the site ends as well
with Site() as site:
    check_all(site)
with Site(LARDER_PASSWORD="wrong") as refused:
    check.that("with a wrong password there is no session", Browser(refused).ask(), "status 503")
check.end()
