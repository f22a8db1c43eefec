"""Fetching an issuer's keys from a real server: what comes of each way it can misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from aegis_authz.adapters.jwks import HttpKeySets, is_as_private
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
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
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


def _configuration(server: Server, **changes: Any) -> str:
    """Serve the configuration of this server as an issuer; returns the issuer."""
    issuer = server.url.removesuffix("/keys")
    members = {"issuer": issuer, "jwks_uri": server.url, "claims_supported": ["sub"], **changes}
    server.body = json.dumps(members).encode()
    return issuer


async def test_an_issuer_says_where_its_keys_are(server: Server, sets: HttpKeySets) -> None:
    assert await sets.discover(_configuration(server)) == server.url
    assert await sets.discover(_configuration(server, jwks_uri="https://keys.example/k")) == "https://keys.example/k"
    assert server.paths == ["/.well-known/openid-configuration"] * 2


async def test_an_issuer_with_a_path_is_asked_below_it_and_is_itself_to_the_letter(
    server: Server, sets: HttpKeySets
) -> None:
    issuer = f"{_configuration(server)}/realm/"
    _configuration(server, issuer=issuer)
    assert await sets.discover(issuer) == server.url
    assert server.paths == ["/realm/.well-known/openid-configuration"]
    with pytest.raises(KeysUnavailable, match="another issuer"):
        await sets.discover(issuer.rstrip("/"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"issuer": "https://evil.example"}, "configuration of another issuer"),
        ({"issuer": None}, "configuration of another issuer"),
        ({"jwks_uri": None}, "jwks_uri is no https:// URL"),
        ({"jwks_uri": 5}, "jwks_uri is no https:// URL"),
        ({"jwks_uri": "http://keys.example/k"}, "jwks_uri is no https:// URL"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri is no https:// URL"),
        ({"jwks_uri": "https://u:p@keys.example/k"}, "jwks_uri is no https:// URL"),
        ({"jwks_uri": "https://"}, "jwks_uri is no https:// URL"),
        ({"jwks_uri": "https://[::1/k"}, "jwks_uri is no https:// URL"),
    ],
)
async def test_a_configuration_that_misleads_is_refused(
    server: Server, sets: HttpKeySets, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(KeysUnavailable, match=message):
        await sets.discover(_configuration(server, **changes))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_issuer_elsewhere_sends_nobody_to_this_machine(scheme: str) -> None:
    for host in ("127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST.", "[::1]"):
        place = f"{scheme}://{host}/k"
        assert not is_as_private(place, "https://ci.example")
        assert is_as_private(place, "http://127.0.0.1:9000")
    assert not is_as_private("http://ci.example/k", "http://127.0.0.1:9000")


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "0", "[::ffff:127.0.0.1]", "[::]"])
async def test_another_spelling_of_this_machine_is_not_connected_to(
    server: Server, sets: HttpKeySets, host: str
) -> None:
    _configuration(server)
    for scheme in ("http", "https"):
        with pytest.raises(KeysUnavailable, match="leads to this machine itself"):
            await sets.fetch(server.url.replace("http://127.0.0.1", f"{scheme}://{host}"))
    assert server.paths == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_redirects, "redirects elsewhere"),
        (_answers(b"x" * 10_000_000), "more than 262144 bytes"),
        (_answers(b"", 404), "HTTP 404"),
        (_answers(b"[]"), "not an OpenID configuration"),
        (_answers(b'{"issuer": "a", "issuer": "b"}'), "not an OpenID configuration"),
    ],
)
async def test_whatever_else_an_issuer_answers_is_no_configuration(
    server: Server, sets: HttpKeySets, change: Callable[[Server], None], message: str
) -> None:
    change(server)
    with pytest.raises(KeysUnavailable, match=message):
        await sets.discover(server.url.removesuffix("/keys"))
