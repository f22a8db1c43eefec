"""The calls of a load, each with a token of its own and the answer it is due, as targets for vegeta.

What a call is due stands in the fragment of its URL (`#200`, `#403/POLICY_DENIED`): vegeta keeps it in the
result and no client sends it, so the server sees one path for every call of the load.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.signing import SigningKey

from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Jti, Seconds
from aegis_authz.encoding import base64url
from aegis_authz.identity.mint import MAX_TTL, mint_token

TOKEN_HEADER = "X-Aegis-Token"  # noqa: S105  # a header's name
ONE_DENIED_IN = 20
_PLACE = "00-the-id-of-this-token-00"


@dataclass(frozen=True, slots=True)
class Due:
    """The right answer to a call: its HTTP status and, where the answer tells one, its reason ("": any)."""

    status: int
    reason: str = ""


ALLOWED = Due(200)
DENIED = Due(403, "POLICY_DENIED")


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of call. `host` is the Host header, "" for that of the URL; `path` may hold a query."""

    path: str
    due: Due = ALLOWED
    method: str = "POST"
    host: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({"Content-Type": "application/json"}))


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs the tokens of one agent. `ttl` is seconds, 1 to 300."""

    key: Ed25519PrivateKey = field(repr=False)
    issuer: str
    audience: str
    scope: Scope
    ttl: Seconds = MAX_TTL

    def tokens(self, run: str, now: Epoch) -> Iterator[str]:
        """Tokens without end, valid from `now`, each good for one call.

        `run` must be new for each stream: the ids of the tokens begin with it. Raises ValueError for a name
        that cannot be one or a ttl out of range.
        """
        model = mint_token(
            self.key,
            issuer=self.issuer,
            audience=self.audience,
            scope=self.scope,
            now=now,
            ttl=self.ttl,
            jti=Jti(_PLACE),
        )
        return _like(model, SigningKey(self.key.private_bytes_raw()), run)


def mixed(allowed: Call, denied: Call, one_in: int = ONE_DENIED_IN) -> tuple[Call, ...]:
    """A round of calls for `write_targets`: the last of every `one_in` is the denied one."""
    return (*(allowed,) * (one_in - 1), denied)


def write_targets(path: Path, base: str, calls: Iterable[Call], tokens: Iterable[str]) -> int:
    """Write one target for each token, going round and round through `calls`; returns how many.

    `base` is the URL of the server (`http://127.0.0.1:8080`). An empty token sends no token. Raises OSError,
    and ValueError when there are no calls.
    """
    moulds = [_mould(base, call) for call in calls]
    if not moulds:
        raise ValueError("no calls to write")
    count = 0
    with path.open("wb") as file:
        for (plain, before, after), token in zip(cycle(moulds), tokens, strict=False):
            file.write(before + token.encode("ascii") + after if token else plain)
            count += 1
    return count


def url_of(base: str, call: Call) -> str:
    """The URL of a target: what vegeta sends to, and as a fragment what is due."""
    reason = f"/{call.due.reason}" if call.due.reason else ""
    return f"{base.rstrip('/')}{call.path}#{call.due.status}{reason}"


def due_of(url: str) -> Due:
    """What the fragment of a target's URL says is due. Raises ValueError when it says nothing."""
    status, _, reason = urlsplit(url).fragment.partition("/")
    return Due(int(status), reason)


def _mould(base: str, call: Call) -> tuple[bytes, bytes, bytes]:
    """The target without a token, and the target before and after its token, each with its line end."""
    headers = {name: [value] for name, value in call.headers.items()}
    if call.host:
        headers["Host"] = [call.host]
    target = {"method": call.method, "url": url_of(base, call), "header": headers}
    if call.body:
        target["body"] = base64.b64encode(call.body).decode("ascii")
    plain = f"{json.dumps(target)}\n".encode()
    signed = {**target, "header": {**headers, TOKEN_HEADER: [_PLACE]}}
    before, _, after = f"{json.dumps(signed)}\n".encode().partition(_PLACE.encode("ascii"))
    return plain, before, after


def _like(model: str, key: SigningKey, run: str) -> Iterator[str]:
    # minting each anew takes three times the CPU, and tokens are made between two measurements
    head, payload, _ = model.split(".")
    before, _, after = base64url.decode(payload.encode("ascii")).partition(_PLACE.encode("ascii"))
    number = 0
    while True:
        claims = base64url.encode(before + f"{run}-{number}".encode() + after)
        signed = head.encode("ascii") + b"." + claims
        yield (signed + b"." + base64url.encode(key.sign(signed).signature)).decode("ascii")
        number += 1
