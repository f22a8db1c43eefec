"""Signing in from a command line through a browser, however people sign in there (RFC 8252 section 7.3, RFC 7636)."""

from __future__ import annotations

import hmac
import socketserver
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlencode, urlsplit

from aegis_authz.adapters.files.logins import Login
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.commands.faults import Unable
from aegis_authz.commands.login import keep_login
from aegis_authz.people.secrets import challenge_of

_PATIENCE = 300.0
_DONE = b"<!doctype html><title>Signed in</title><p>Signed in: go back to the command line."


def browser_login(url: str, days: float, show: Callable[[str], None]) -> Login:
    """Sign in on the pages of the control plane of this URL, and keep an API key that lives so many days.

    `show` brings a page to a person. Raises Unable, Rejected.
    """
    ids, clock = SystemIds(), SystemClock()
    verifier, state = ids.token() + ids.token(), ids.token()
    with _Listener(("127.0.0.1", 0), _Answer) as listener:
        listener.state = state
        question = {"port": listener.server_address[1], "challenge": challenge_of(verifier), "state": state}
        show(f"{url.rstrip('/')}/approvals/command?{urlencode(question)}")
        until = clock.monotonic() + _PATIENCE
        while not listener.code:
            listener.timeout = until - clock.monotonic()
            if listener.timeout <= 0:
                raise Unable("nobody let this command in within five minutes")
            listener.handle_request()
    return keep_login(url, lambda control: control.sign_in_by_code(listener.code, verifier).person.id, days)


class _Listener(socketserver.TCPServer):
    """Waits on loopback for the browser that comes back with this state; its code is kept."""

    state = ""
    code = ""


class _Answer(BaseHTTPRequestHandler):
    server: _Listener
    timeout = 5.0

    def do_GET(self) -> None:
        answer = dict(parse_qsl(urlsplit(self.path).query))
        is_ours = hmac.compare_digest(answer.get("state", "").encode(), self.server.state.encode())
        code = answer.get("code", "") if is_ours else ""
        self.send_response(200 if code else 404)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("cache-control", "no-store")
        self.send_header("connection", "close")
        self.end_headers()
        if code:
            self.server.code = code
            self.wfile.write(_DONE)

    def log_message(self, *_: object) -> None:
        """Say nothing: the code is in the address."""
