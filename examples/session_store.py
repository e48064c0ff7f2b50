#!/usr/bin/env python3
"""Sessions of a web application (Flask), with a time to live that starts anew at each visit.

    larder-passwd users.toml add web --prefix sess:          # a user who reaches sessions and nothing else
    pip install pymemcache flask
    LARDER_CA=ca.pem LARDER_USER=web LARDER_PASSWORD=secret flask --app session_store run

Login and TLS: larder_client.py. The cookie is for HTTPS; browsers take it from http://localhost, too.

- `gats` reads a session and gives it its half hour again, in one request.
- Changes are stored by `cas` over what is there by then, so two requests of one browser lose nothing of each other's.
- Logging out deletes the session. A request under way then cannot bring it back: there is nothing to `cas` over.
- Logging in gives a new name, and names come from the server alone, so nobody can plant one on somebody else.
- A cache that cannot be reached is an error of the page: nobody is taken for a stranger because of it.
- The key is a hash of the cookie. Who sees keys (logs, dumps, hot keys) cannot take a session over.

Stale data: none is served. But a cache may forget: a session ends early when memory is short (watch `evictions`; `-M`
refuses new ones instead) and at a crash. `-e` or `--memory-fd` keeps them over a restart. What must not be lost belongs
in a database.
"""

import hashlib
import json
import secrets

from flask import Flask, request, session
from flask.sessions import SessionInterface, SessionMixin

from larder_client import pool

SESSION_SECS = 1800
COOKIE = "session"


class Session(dict, SessionMixin):
    """The contents; `name` is what the cookie says, None for a new one."""

    def __init__(self, name=None, contents=()):
        super().__init__(contents)
        self.name, self.before = name, dict(self)
        self.old, self.ended = None, False

    def renew(self):
        """To be called where rights change, at the least when somebody logs in."""
        self.old, self.name = self.name, None


class Sessions(SessionInterface):
    def __init__(self, cache):
        self.cache = cache

    @staticmethod
    def key(name):
        return "sess:" + hashlib.sha256(name.encode()).hexdigest()

    def open_session(self, app, request):
        name = request.cookies.get(COOKIE)
        if name:
            contents, token = self.cache.gats(self.key(name), SESSION_SECS)
            if token is not None:
                return Session(name, json.loads(contents))
        return Session()

    def save_session(self, app, session, response):
        if session is None:
            return  # the cache could not be reached
        response.vary.add("Cookie")
        if session.old or (session.ended and session.name):
            self.cache.delete(self.key(session.old or session.name))
        if session.ended:
            response.delete_cookie(COOKIE)
        elif session.name is None:
            if session:
                name = secrets.token_urlsafe(32)
                self.cache.set(self.key(name), json.dumps(session), expire=SESSION_SECS)
                response.set_cookie(COOKIE, name, secure=True, httponly=True, samesite="Lax")
        elif session != session.before:
            self.merge(session)

    def merge(self, session):
        """Stores what this request has changed over what others have stored meanwhile."""
        stored = False
        while not stored:
            found, token = self.cache.gats(self.key(session.name), SESSION_SECS)
            if token is None:
                return  # logged out meanwhile
            contents = json.loads(found)
            for field in session.keys() | session.before.keys():
                if field not in session:
                    contents.pop(field, None)
                elif session[field] != session.before.get(field):
                    contents[field] = session[field]
            stored = self.cache.cas(self.key(session.name), json.dumps(contents), token, expire=SESSION_SECS)


app = Flask(__name__)
app.session_interface = Sessions(pool())


@app.get("/")
def page():
    return f"hello {session.get('user', 'stranger')}\n"


@app.post("/login")
def login():
    session.renew()
    session["user"] = request.form["user"]  # a real application has asked for a password before
    return "welcome\n"


@app.post("/basket/<article>")
def put_into_basket(article):
    session[f"basket:{article}"] = session.get(f"basket:{article}", 0) + 1
    return "noted\n"


@app.get("/basket")
def basket():
    return {field.removeprefix("basket:"): count for field, count in session.items() if field.startswith("basket:")}


@app.post("/logout")
def logout():
    session.ended = True
    return "bye\n"
