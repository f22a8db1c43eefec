"""What can go wrong with the mesh, as data."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.core.reason import Reason
from tests.support.fail_closed.doors import DOORS, ENVOY_DOORS, Door
from tests.support.fail_closed.impostors import (
    http,
    opa_answering,
    opa_deciding,
    opa_saying,
    opa_that_stops_in_mid_answer,
    redis_answering,
    redis_settling_nothing,
)
from tests.support.fail_closed.mesh import AUTHORIZERS, BreakableMesh, Serve

Breaks = Callable[[BreakableMesh], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is broken, and how every call is then denied.

    `recorded` is False where nobody was asked, or nothing can be written. `at_first` are reasons that calls may be
    denied for until the fault has reached every authorizer. `tokens_before`: the calls carry tokens that were
    issued before the fault. `doors` are those at which it shows.
    """

    room: str
    name: str
    reason: Reason
    breaks: Breaks
    recorded: bool = True
    at_first: frozenset[Reason] = frozenset()
    tokens_before: bool = False
    doors: Sequence[Door] = DOORS


def _opa(name: str, reason: Reason, serve: Serve) -> Fault:
    # an idle connection to the OPA that hangs is used once more
    at_first = frozenset({Reason.PDP_TIMEOUT} - {reason})
    return Fault("Policy engine", f"OPA {name}", reason, lambda mesh: mesh.replaced("opa", serve), at_first=at_first)


def _redis(name: str, reason: Reason, breaks: Breaks, at_first: frozenset[Reason] = frozenset()) -> Fault:
    return Fault("Replay store", f"Redis {name}", reason, breaks, at_first=at_first)


def _told(broken: str, healed: str) -> Breaks:
    return lambda mesh: mesh.redis_told(tuple(broken.split()), tuple(healed.split()))


def _records(name: str, breaks: Breaks) -> Fault:
    return Fault("Record log", name, Reason.RECORD_FAILED, breaks, recorded=False)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _nobody_answers(name: str, breaks: Breaks) -> Fault:
    # whoever asks them itself gets no answer at all, and has nothing that reads as a decision
    return Fault("Authorizers", name, Reason.INTERNAL_FAULT, breaks, recorded=False, doors=ENVOY_DOORS)


_OUT_OF_MEMORY = _told("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0")
_REPLICA = _told("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE")
_TRY_AGAIN = b"TRYAGAIN Multiple keys request during rehashing of slot"
_LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
_LIMITS = "Limits"
LIMIT_FAULTS = (
    Fault(_LIMITS, "Redis dies under a charged call", Reason.STORE_UNAVAILABLE, lambda mesh: mesh.killed("redis")),
    Fault(_LIMITS, "Redis hangs under a charged call", Reason.STORE_TIMEOUT, lambda mesh: mesh.hung("redis")),
    Fault(_LIMITS, "Redis has no memory for a charge", Reason.STORE_FULL, _OUT_OF_MEMORY),
    Fault(
        *(_LIMITS, "Redis became a replica and takes no charge", Reason.STORE_READONLY, _REPLICA),
        at_first=frozenset({Reason.STORE_UNAVAILABLE}),
    ),
    Fault(
        *(_LIMITS, "Redis loads, whatever is charged", Reason.STORE_UNAVAILABLE),
        lambda mesh: mesh.replaced("redis", redis_answering(_LOADING)),
        at_first=frozenset({Reason.STORE_TIMEOUT}),
    ),
    Fault(_LIMITS, "Redis lost what was charged", Reason.LIMIT_LOST, _told("FLUSHALL", "")),
    Fault(
        *(_LIMITS, "Redis was started again and may have lost what was charged"),
        *(Reason.LIMIT_LOST, lambda mesh: mesh.restarted("redis")),
        at_first=frozenset({Reason.STORE_UNAVAILABLE, Reason.STORE_TIMEOUT}),
    ),
)
"""What a call that is charged meets, beside what every call does."""

FAULTS = (
    Fault("Policy engine", "OPA is dead", Reason.PDP_UNAVAILABLE, lambda mesh: mesh.killed("opa")),
    Fault("Policy engine", "OPA hangs", Reason.PDP_TIMEOUT, lambda mesh: mesh.hung("opa")),
    _opa("stops in mid-answer", Reason.PDP_TIMEOUT, opa_that_stops_in_mid_answer),
    _opa("answers nothing and hangs up", Reason.PDP_UNAVAILABLE, opa_answering(lambda calls: b"")),
    _opa("does not speak HTTP", Reason.PDP_UNAVAILABLE, opa_answering(lambda calls: b"\x00\xffallow\r\n\r\n")),
    _opa("answers 500", Reason.DECISION_MALFORMED, opa_answering(lambda calls: http(500, b"{}"))),
    _opa("answers no JSON", Reason.DECISION_MALFORMED, opa_answering(lambda calls: http(200, b'{"result":'))),
    _opa("leaves the decision undefined", Reason.DECISION_UNDEFINED, opa_answering(lambda calls: http(200, b"{}"))),
    _opa("answers true", Reason.DECISION_MALFORMED, opa_saying(lambda calls: True)),
    _opa("answers too few calls", Reason.DECISION_MALFORMED, opa_saying(lambda n: {"revision": "r", "decisions": []})),
    _opa("names no effect", Reason.DECISION_MALFORMED, opa_deciding(effect=None)),
    _opa("names an unknown effect", Reason.DECISION_MALFORMED, opa_deciding(effect="permit")),
    _opa("allows with the reason of a denial", Reason.DECISION_MALFORMED, opa_deciding(reason="POLICY_DENIED")),
    _opa("demands an unknown obligation", Reason.OBLIGATION_UNKNOWN, opa_deciding(obligations=[{"kind": "encrypt"}])),
    _opa("allows under a revision without a snapshot", Reason.PDP_UNAVAILABLE, opa_deciding()),
    _redis("is dead", Reason.STORE_UNAVAILABLE, lambda mesh: mesh.killed("redis")),
    _redis("hangs", Reason.STORE_TIMEOUT, lambda mesh: mesh.hung("redis")),
    _redis("is out of memory", Reason.STORE_FULL, _OUT_OF_MEMORY),
    _redis(
        "failed over and became a replica",
        Reason.STORE_READONLY,
        _REPLICA,
        at_first=frozenset({Reason.STORE_UNAVAILABLE}),
    ),
    Fault(
        *("Replay store", "Redis lost its data; tokens from before"),
        *(Reason.STORE_RESET, _told("FLUSHALL", "")),
        tokens_before=True,
    ),
    Fault(
        *("Replay store", "Redis was started again; tokens from before"),
        *(Reason.STORE_RESET, lambda mesh: mesh.restarted("redis")),
        at_first=frozenset({Reason.STORE_UNAVAILABLE, Reason.STORE_TIMEOUT}),
        tokens_before=True,
    ),
    _redis(
        "answers garbage",
        Reason.STORE_UNAVAILABLE,
        lambda mesh: mesh.replaced("redis", redis_answering(b"\x00\xffOK\r\n")),
        at_first=frozenset({Reason.STORE_TIMEOUT}),
    ),
    _redis(
        "answers that it is loading, whatever it is asked",
        Reason.STORE_UNAVAILABLE,
        lambda mesh: mesh.replaced("redis", redis_answering(_LOADING)),
        at_first=frozenset({Reason.STORE_TIMEOUT}),
    ),
    _redis(
        "moves what it holds of the tenant to another of its cluster",
        Reason.STORE_MOVING,
        lambda mesh: mesh.replaced("redis", redis_settling_nothing(_TRY_AGAIN)),
        at_first=frozenset({Reason.STORE_TIMEOUT, Reason.STORE_UNAVAILABLE}),
    ),
    _redis(
        "has no master for the tenant in its cluster",
        Reason.STORE_UNAVAILABLE,
        lambda mesh: mesh.replaced("redis", redis_settling_nothing(b"CLUSTERDOWN Hash slot not served")),
        at_first=frozenset({Reason.STORE_TIMEOUT}),
    ),
    _records("The disk of the records is full", lambda mesh: mesh.no_room_for_records()),
    _records("The record files were removed", lambda mesh: mesh.records_changed(Path.unlink)),
    _records("The record files were cut by one byte", lambda mesh: mesh.records_changed(_cut)),
    Fault(
        *("Routes", "Envoy routes by another catalogue", Reason.ROUTE_MISMATCH, lambda mesh: mesh.misrouted()),
        doors=ENVOY_DOORS,
    ),
    _nobody_answers("Every authorizer crashed", lambda mesh: mesh.killed(*AUTHORIZERS, by=signal.SIGSEGV)),
    _nobody_answers("Every authorizer hangs", lambda mesh: mesh.hung(*AUTHORIZERS)),
    Fault(
        *("Authorizers", "Every authorizer is overloaded"),
        *(Reason.OVERLOADED, lambda mesh: mesh.overloaded()),
        at_first=frozenset({Reason.PDP_TIMEOUT}),
    ),
)
