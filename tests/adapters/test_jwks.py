"""Fetching an issuer's keys from a real server: what comes of each way it can misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from aegis_authz.adapters.jwks import HttpKeySets
from aegis_authz.ports.control_plane import KeysUnavailable
from tests.support.token_requests import private_key, public_jwk

GOOD = {**public_jwk(private_key(b"k")), "kid": "a"}


class Server(ThreadingHTTPServer):
    """Answers every GET as told."""

    status: int
    headers: dict[str, str]
    body: bytes
    paths: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/keys"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(self.server.body)
        except OSError:
            return

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.status, server.headers, server.body, server.paths = 200, {}, b"", []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def sets() -> AsyncIterator[HttpKeySets]:
    sets = HttpKeySets()
    yield sets
    await sets.close()


async def test_the_keys_that_can_verify_anything_here_are_taken(server: Server, sets: HttpKeySets) -> None:
    others = [{"kty": "EC", "crv": "P-521"}, {"kty": "oct", "k": "AA"}, {**GOOD, "use": "enc"}]
    server.body = json.dumps({"keys": [*others, GOOD]}).encode()
    assert [key.kid for key in await sets.fetch(server.url)] == ["a"]


def _redirects(server: Server) -> None:
    server.status, server.headers = 302, {"location": "/elsewhere"}


def _answers(body: bytes, status: int = 200, **headers: str) -> Callable[[Server], None]:
    def change(server: Server) -> None:
        server.body, server.status = body, status
        server.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_redirects, "redirects elsewhere"),
        (_answers(b"x" * 10_000_000), "more than 262144 bytes"),
        (_answers(json.dumps({"keys": [GOOD] * 101}).encode()), "at most 100"),
        (_answers(b"", 404), "HTTP 404"),
        (_answers(b"", 500), "HTTP 500"),
        (_answers(b"<html>"), "not a JWK set"),
        (_answers(b'{"keys": []}'), "no key in it"),
        (_answers(b'{"keys": [7]}'), "a key is not an object"),
        (_answers(b'{"keys": {}}'), "not a list"),
        (_answers(b'{"keys": [], "keys": []}'), "not a JWK set"),
        (_answers(json.dumps({"keys": [{"kty": "oct", "k": "AA"}]}).encode()), "no key in it"),
        (_answers(b"x", content_encoding="gzip"), "compressed"),
    ],
)
async def test_whatever_else_a_server_answers_is_no_key(
    server: Server, sets: HttpKeySets, change: Callable[[Server], None], message: str
) -> None:
    change(server)
    with pytest.raises(KeysUnavailable, match=message):
        await sets.fetch(server.url)
    assert server.paths == ["/keys"]


@pytest.mark.parametrize(
    "url", ["https://" + "a" * 300 + ".example/k", "http://[::1/k", "https://xn--/k", "http://\u2100/k"]
)
async def test_an_address_that_leads_nowhere_is_said_to_be_away(sets: HttpKeySets, url: str) -> None:
    with pytest.raises(KeysUnavailable):
        await sets.fetch(url)


async def test_a_server_that_is_not_there_is_said_to_be_away(sets: HttpKeySets) -> None:
    with pytest.raises(KeysUnavailable, match=r"http://127\.0\.0\.1:9/keys"):
        await sets.fetch("http://127.0.0.1:9/keys")
