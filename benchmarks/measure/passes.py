"""Passes of calls over a contender's socket, as Envoy asks, every answer checked: no Envoy, no load generator.

A pass is a list of questions, each asked once, so many at a time; what it costs is the CPU of the processes that
decide, until what was put off is done. So it says something on a busy machine, too.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import grpc
from envoy.service.auth.v3 import external_auth_pb2

from aegis_authz.load.calls import TOKEN_HEADER, Call, Due
from aegis_authz.wire.envoy.ext_authz import LISTENER_EXTENSION, ROUTE_EXTENSION, SERVICE
from benchmarks.measure.rounds import part_seconds

AT_A_TIME = 20
"""With the 24 of `make bench` the share of one agent begins to count, and a worker that knows many turns some away."""
TAIL = 0.5
"""Seconds after a pass before its CPU is read: what was put off is paid for by who put it off."""
_PATIENCE = 60.0
_FOR_LOAD, _LATER = frozenset({429, 503}), "later"
_ALLOWED = 200
_OK = 0
"""Of google.rpc.Code."""

Question = tuple[bytes, Due]
"""A CheckRequest, and the answer that is due."""
Check = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


class WrongAnswer(Exception):
    """A contender let through what must be refused, or refused what may pass; the run is void."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What became of a pass: right answers, refusals for load by reason, and CPU seconds by part."""

    right: int
    refused: Mapping[str, int]
    cpu: Mapping[str, float]

    def per_decision(self) -> dict[str, float]:
        """Microseconds for each right answer, by part: what the others cost is charged to them."""
        return {part: spent * 1e6 / max(self.right, 1) for part, spent in self.cpu.items()}


@dataclass(frozen=True, slots=True)
class Envelope:
    """How the Envoy in front of a contender writes a CheckRequest.

    `joined`: headers as one map and the body as text, as most read them. `listener` is that by which calls come in.
    """

    joined: bool = False
    listener: str = "forward"

    def question(self, call: Call, token: str, route: str, number: int) -> Question:
        """A call as Envoy asks about it; no header for an empty token. `route` is where its configuration leads it."""
        request = external_auth_pb2.CheckRequest()
        attributes = request.attributes
        attributes.context_extensions.update({LISTENER_EXTENSION: self.listener, ROUTE_EXTENSION: route})
        attributes.source.address.socket_address.address = "127.0.0.1"
        http = attributes.request.http
        http.id, http.method, http.scheme = str(number), call.method, "http"
        http.host, http.path, http.size = call.host, call.path, len(call.body)
        headers = dict(_headers(call, token, number))
        if self.joined:
            http.body = call.body.decode("utf-8")
            http.headers.update(headers)
        else:
            http.raw_body = call.body
            for name, value in headers.items():
                http.header_map.headers.add(key=name, raw_value=value.encode("ascii"))
        return bytes(request.SerializeToString()), call.due


def _headers(call: Call, token: str, number: int) -> Iterator[tuple[str, str]]:
    yield from ((":authority", call.host), (":method", call.method), (":path", call.path), (":scheme", "http"))
    yield from (("accept", "*/*"), ("user-agent", "benchmark"), ("x-forwarded-proto", "http"))
    yield "x-request-id", f"5f0d1c52-0000-4000-8000-{number:012}"
    if call.body:
        yield "content-length", str(len(call.body))
    yield from ((name.lower(), value) for name, value in call.headers.items())
    if token:
        yield TOKEN_HEADER.lower(), token


def check_of(channel: grpc.aio.Channel) -> Check:
    """What asks whoever is at the other end of a channel."""
    return channel.unary_unary(f"/{SERVICE}/Check")


async def play(check: Check, questions: Sequence[Question], pids: Mapping[str, tuple[int, ...]]) -> Pass:
    """Ask all of them, `AT_A_TIME` at once. Raises WrongAnswer, grpc.RpcError, OSError for a process that is gone."""
    ahead, traces = iter(questions), _traces()
    refused: Counter[str] = Counter()

    async def ask() -> None:
        for message, due in ahead:
            answer = external_auth_pb2.CheckResponse.FromString(
                await check(message, timeout=_PATIENCE, metadata=(("traceparent", next(traces)),))
            )
            if reason := refusal(answer, due):
                refused[reason] += 1

    before = part_seconds(pids)
    await asyncio.gather(*[ask() for _ in range(AT_A_TIME)])
    await asyncio.sleep(TAIL)
    after = part_seconds(pids)
    cpu = {part: after[part] - before[part] for part in after}
    return Pass(len(questions) - refused.total(), dict(refused), cpu)


def _traces() -> Iterator[str]:
    """What an Envoy that makes spans says of each call: a trace of its own, kept (W3C Trace Context)."""
    run = os.urandom(8).hex()
    return (f"00-{run}{number:016x}-{number:016x}-01" for number in count(1))


def refusal(answer: external_auth_pb2.CheckResponse, due: Due) -> str:
    """Why a call was turned away that the contender had no room for, "" for a right answer. Raises WrongAnswer.

    A refused call of MCP is answered 200 with a result that is an error, so the status is not compared.
    """
    if answer.status.code == _OK:  # what Envoy goes by; the Go peer says no more
        if due.status != _ALLOWED:
            raise WrongAnswer(f"let through where {due} is due")
        return ""
    denied = answer.denied_response
    facts = _facts(denied.body)
    reason = str(facts.get("reason", ""))
    if denied.status.code in _FOR_LOAD or facts.get("retry") == _LATER:
        return reason or str(denied.status.code)
    if due.status == _ALLOWED or (due.reason and reason not in ("", due.reason)):
        raise WrongAnswer(f"{denied.status.code} {denied.body} where {due} is due")
    return ""


def _facts(body: str) -> dict[str, Any]:
    """What a refusal says of itself: a problem document, or what stands within one of MCP."""
    try:
        members = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(members, dict):
        return {}
    for path in (("result", "_meta", "aegis"), ("error", "data", "aegis")):
        facts: Any = members
        for name in path:
            facts = facts.get(name) if isinstance(facts, dict) else None
        if isinstance(facts, dict):
            return facts
    return members
