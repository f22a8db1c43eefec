"""Requests that cannot be judged, as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aegis_authz.core.reason import Reason
from aegis_authz.demo.agent import Tokens
from tests.support.fail_closed.doors import DOORS, MCP_DOORS, PLAIN, QUESTION, Door, Sent

MORE_THAN_IS_READ = 1_100_000

Spoil = Callable[[Door, Tokens], Sent]


@dataclass(frozen=True, slots=True)
class BadRequest:
    """One way to spoil the good call of a door. `recorded` is False where Envoy denies without asking."""

    name: str
    reason: Reason
    spoil: Spoil
    doors: Sequence[Door] = DOORS
    recorded: bool = True


def _body(change: Callable[[bytes], bytes]) -> Spoil:
    return lambda door, tokens: Sent((("x-aegis-token", tokens.mint(door.agent)),), change(door.body))


def _member(text: bytes) -> Spoil:
    return _body(lambda body: body[:-1] + b"," + text + b"}")


def _header(name: str, value: str) -> Spoil:
    return lambda door, tokens: Sent((("x-aegis-token", tokens.mint(door.agent)), (name, value)), door.body)


def _token(mint: Callable[[Door, Tokens], Sequence[str]], header: str = "x-aegis-token") -> Spoil:
    return lambda door, tokens: Sent(tuple((header, token) for token in mint(door, tokens)), door.body)


def _two_places(door: Door, tokens: Tokens) -> Sent:
    bearer = f"Bearer {tokens.mint(door.agent)}"
    header = "authorization" if door is QUESTION else "proxy-authorization"
    return Sent((("x-aegis-token", tokens.mint(door.agent)), (header, bearer)), door.body)


BAD_REQUESTS = (
    BadRequest(
        *("A body longer than what is read", Reason.BODY_TRUNCATED),
        _member(b'"x":"' + b"y" * MORE_THAN_IS_READ + b'"'),
        recorded=False,
    ),
    BadRequest("A compressed body", Reason.CONTENT_ENCODED, _header("content-encoding", "gzip")),
    BadRequest("A second content type", Reason.AMBIGUOUS_HEADERS, _header("content-type", "text/x+json")),
    BadRequest("A body that is not UTF-8", Reason.MALFORMED_CALL, _member(b'"x":"\xff"')),
    BadRequest("A body cut short", Reason.MALFORMED_CALL, _body(lambda body: body[:-1])),
    BadRequest("Two JSON texts in one body", Reason.MALFORMED_CALL, _body(lambda body: body + body)),
    BadRequest("A number that two readers read differently", Reason.MALFORMED_CALL, _member(b'"x":1e999')),
    BadRequest("A member named twice", Reason.DUPLICATE_KEY, _member(b'"x":1,"x":2')),
    BadRequest("A member named twice, in other case", Reason.DUPLICATE_KEY, _member(b'"x":1,"X":2')),
    BadRequest("A member named twice, but for a space", Reason.DUPLICATE_KEY, _member(b'"x":1,"x ":2')),
    BadRequest(
        *("A member named twice, in full-width letters", Reason.DUPLICATE_KEY), _member('"x":1,"\uff58":2'.encode())
    ),
    BadRequest("A member that is taken for a prototype", Reason.MALFORMED_CALL, _member(b'"__proto__":{}')),
    BadRequest("A member that nobody declared", Reason.PARAMETER_UNKNOWN, _member(b'"x":1'), (PLAIN,)),
    BadRequest("A JSON-RPC batch", Reason.MALFORMED_CALL, _body(lambda body: b"[" + body + b"]"), MCP_DOORS),
    BadRequest("No token", Reason.CREDENTIAL_MISSING, _token(lambda door, tokens: [])),
    BadRequest(
        *("Two tokens", Reason.CREDENTIAL_AMBIGUOUS),
        _token(lambda door, tokens: [tokens.mint(door.agent), tokens.mint(door.agent)]),
    ),
    BadRequest("Two tokens in two headers", Reason.CREDENTIAL_AMBIGUOUS, _two_places),
    BadRequest(
        *("A token from the future: clocks differ by 30 s", Reason.CREDENTIAL_NOT_YET_VALID),
        _token(lambda door, tokens: [tokens.mint(door.agent, age=-30)]),
    ),
    BadRequest(
        *("A token from the past", Reason.CREDENTIAL_EXPIRED),
        _token(lambda door, tokens: [tokens.mint(door.agent, age=90)]),
    ),
)
