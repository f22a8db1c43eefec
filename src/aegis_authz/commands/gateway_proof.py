"""`aegis doctor --gateway`: what any gateway must refuse, shown from where an agent is: in a container, a pod, another
machine. It holds no credential and changes nothing; what policies say is proved where a mesh's own keys are (`--dir`).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.commands.faults import unable_on
from aegis_authz.core.reason import Reason
from aegis_authz.core.units import Jti, Seconds
from aegis_authz.identity.mint import mint_token
from aegis_authz.local.proof import PROBER, Proof
from aegis_authz.wire.status_codes import STATUS_CODES

_HOST = "doctor.aegis.invalid"
_TIMEOUT = 10.0
_TTL = Seconds(30.0)
_KEYS, _ADMINISTRATION = "/.well-known/jwks.json", "/v1/policies"
_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class GatewayPlaces:
    """Where a gateway is reached: its forward proxy, and its control door ("" for none), as base URLs.

    `authorities` is the file by which their certificates are verified, the public ones without it.
    """

    proxy: str
    door: str
    authorities: Path | None


async def prove_gateway(places: GatewayPlaces) -> list[Proof]:
    """Make every call, each with one right answer. Raises Unable for places that cannot be asked."""
    with unable_on(OSError, ValueError, httpx.InvalidURL):
        trust = None if places.authorities is None else ssl.create_default_context(cafile=str(places.authorities))
        proxy = httpx.Proxy(places.proxy, ssl_context=trust if places.proxy.startswith("https:") else None)
        door = str(httpx.URL(places.door)).rstrip("/")
    verify = True if trust is None else trust
    async with (
        # inside of a tunnel a refusal is looked for, and nothing is said that must reach the right place
        httpx.AsyncClient(proxy=proxy, verify=False, trust_env=False, timeout=_TIMEOUT) as agent,  # noqa: S501  # as said above
        httpx.AsyncClient(verify=verify, trust_env=False, timeout=_TIMEOUT) as caller,
    ):
        steps: list[Callable[[], Awaitable[Proof]]] = [
            lambda: _refused(agent, {}, "a call without a credential", Reason.CREDENTIAL_MISSING),
            lambda: _refused(
                agent, {"x-aegis-token": _forged()}, "a token of a foreign key", Reason.CREDENTIAL_UNTRUSTED
            ),
            lambda: _no_tunnel(agent),
        ]
        if door:
            steps += [
                lambda: _answered(caller, door + _KEYS, 200, "the door has the keys of tokens"),
                lambda: _answered(caller, door + _ADMINISTRATION, 404, "the door is not for administrators"),
            ]
        return [await step() for step in steps]


def _forged() -> str:
    return mint_token(
        Ed25519PrivateKey.generate(),
        issuer="aegis",
        audience="aegis-mesh",
        scope=PROBER,
        now=SystemClock().now(),
        ttl=_TTL,
        jti=Jti(SystemIds().token()),
    )


async def _refused(client: httpx.AsyncClient, headers: dict[str, str], call: str, right: Reason) -> Proof:
    """A call to a host that is nobody's: whoever lets it pass, or says anything else of it, judges nothing."""
    status = STATUS_CODES[right].http
    proof = _proof(call, "who has no identity is refused", f"deny {right.value}")
    started = time.perf_counter()
    try:
        answer = await client.post(f"http://{_HOST}/pay", json={"amount": 1}, headers=headers)
    except httpx.HTTPError as fault:
        return _but(proof, started, f"no answer: {type(fault).__name__}: {fault}")
    body = _members(answer)
    proof = replace(
        proof,
        answer=answer.headers.get("x-aegis-decision", f"status {answer.status_code}"),
        reason=str(body.get("reason", "")),
        decision_id=answer.headers.get("x-aegis-decision-id", ""),
    )
    if not proof.decision_id:
        return _but(proof, started, f"the call was not judged: {answer.status_code} {answer.text[:_EXCERPT]}")
    if (proof.answer, proof.reason, answer.status_code) != ("deny", right.value, status):
        return _but(proof, started, f"expected {status} {proof.expected}")
    return _but(proof, started, "")


async def _no_tunnel(client: httpx.AsyncClient) -> Proof:
    """CONNECT without a credential: refused itself, which httpx raises as `401 Unauthorized`, or opened by the gateway,
    which then refuses what is inside (docs/https.md).
    """
    right = Reason.CREDENTIAL_MISSING
    status = STATUS_CODES[right].http
    proof = _proof("a tunnel without a credential", "HTTPS is no way around", f"status {status}")
    started = time.perf_counter()
    try:
        answer = await client.get(f"https://{_HOST}/")
    except httpx.ProxyError as refusal:
        said = str(refusal)
        return _but(replace(proof, answer=f"status {said[:3]}"), started, "" if said.startswith(f"{status} ") else said)
    except httpx.HTTPError as fault:
        return _but(proof, started, f"no answer: {type(fault).__name__}: {fault}")
    reason = str(_members(answer).get("reason", ""))
    proof = replace(proof, answer=f"status {answer.status_code}", reason=reason)
    is_refused = (answer.headers.get("x-aegis-decision"), reason, answer.status_code) == ("deny", right.value, status)
    return _but(proof, started, "" if is_refused else f"the tunnel was opened: {answer.text[:_EXCERPT]}")


async def _answered(client: httpx.AsyncClient, url: str, status: int, control: str) -> Proof:
    proof = _proof(f"GET {url}", control, f"status {status}")
    started = time.perf_counter()
    try:
        answer = await client.get(url)
    except httpx.HTTPError as fault:
        return _but(proof, started, f"no answer: {type(fault).__name__}: {fault}")
    proof = replace(proof, answer=f"status {answer.status_code}")
    if answer.status_code != status:
        return _but(proof, started, f"expected {proof.expected}: {answer.text[:_EXCERPT]}")
    if status == httpx.codes.OK and not _members(answer).get("keys"):
        return _but(proof, started, "no keys are in the answer")
    return _but(proof, started, "")


def _members(answer: httpx.Response) -> dict[str, object]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _proof(call: str, control: str, expected: str) -> Proof:
    return Proof(call, control, expected, answer="none", reason="", decision_id="", ms=0.0, trouble="")


def _but(proof: Proof, started: float, trouble: str) -> Proof:
    return replace(proof, ms=(time.perf_counter() - started) * 1000, trouble=trouble)
