"""The three agents of the pack `spending`, each faster than it may call: what they are answered, and what they used."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from aegis_authz.commands.limits import limits_of
from aegis_authz.core.effect import Effect
from aegis_authz.core.scope import Scope
from aegis_authz.load.calls import TOKEN_HEADER, Call
from aegis_authz.load.outcome import quantile_ms
from aegis_authz.load.results import reason_of
from aegis_authz.load.tokens import Tokens
from aegis_authz.local.mesh_facts import read_facts

FASTER = 10
"""How many times as fast as it may call an agent calls."""
_SLACK = 0.002  # seconds: the clock of a worker counts milliseconds
_TIMEOUT = 10.0
_QUESTION = {"model": "o1-pro", "max_completion_tokens": 3_000, "messages": [{"role": "user", "content": "Hello"}]}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the pack's table: who calls what, how many calls a second it may, and how one beyond is answered.

    `budget` says what it may spend in a day, "" for an agent without a budget. `beyond` are reasons.
    """

    agent: str
    tool: str
    budget: str
    a_second: int
    beyond: frozenset[str]
    call: Call


TABLE = (
    Line(
        "finance-agent",
        "stripe-payments",
        "500 USD",
        3,
        frozenset({"APPROVAL_NEEDED"}),
        Call("/v1/payments", host="api.stripe.example", body=b'{"amount": 40, "payee": "ACME"}'),
    ),
    Line(
        "llm-agent",
        "openai-api",
        "20 USD",
        5,
        frozenset({"BUDGET_EXCEEDED", "RATE_LIMITED"}),
        Call("/v1/chat/completions", host="api.openai.example", body=json.dumps(_QUESTION).encode()),
    ),
    Line(
        "devops-agent",
        "deploy-service",
        "",
        2,
        frozenset({"APPROVAL_NEEDED"}),
        Call("/deployments", host="deploy-service.example", body=b'{"service": "shop", "version": "1.2"}'),
    ),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What one call was answered. Moments are seconds: when it was due, when it was sent, when its answer was there.

    `reason` is that of a refusal, "" of a call that passed; `fault` says what is no answer of a mesh, "" for nothing.
    """

    due_at: float
    sent_at: float
    ended_at: float
    reason: str
    fault: str


@dataclass(frozen=True, slots=True)
class Spent:
    """What an agent used of its budget: in micro-units, before and after the load, and how much there is."""

    before: int
    after: int
    of: int
    currency: str


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one agent's calls. `spent` is None for an agent without a budget."""

    line: Line
    replies: Sequence[Reply]
    spent: Spent | None

    @property
    def passed(self) -> int:
        """The calls that passed."""
        return sum(not reply.reason and not reply.fault for reply in self.replies)

    @property
    def refused(self) -> Mapping[str, int]:
        """The calls that did not, by reason."""
        return Counter(reply.reason for reply in self.replies if reply.reason)

    @property
    def faults(self) -> Mapping[str, int]:
        """What the table does not foresee: other answers, and none; and a budget that the mesh does not tell of."""
        foreseen = self.line.beyond | {"OVERLOADED"}
        texts = [reply.fault or reply.reason for reply in self.replies]
        if self.line.budget and self.spent is None:
            texts.append("no budget among its limits")  # nothing says then whether it was exceeded
        return Counter(text for text in texts if text and text not in foreseen)

    @property
    def excess(self) -> int:
        """By how many calls or micro-units a limit was exceeded, 0 for none."""
        spans = [(reply.sent_at, reply.ended_at) for reply in self.replies if not reply.reason and not reply.fault]
        over = 0 if self.spent is None else self.spent.after - self.spent.of
        return max(excess_of(spans, self.line.a_second), over, 0)

    def quantile(self, share: float) -> float:
        """The milliseconds that this share of the answers did not exceed, from when they were due; NaN without any."""
        return quantile_ms(sorted(reply.ended_at - reply.due_at for reply in self.replies if not reply.fault), share)


def excess_of(spans: Iterable[tuple[float, float]], a_second: int) -> int:
    """By how many calls any stretch of time has more than it may, as many at once as in a second; 0 for none.

    A span is from when a call was sent until its answer was there: it was decided in between, so that all calls whose
    spans lie within a stretch were decided in it.
    """
    ordered, most = sorted(spans), 0
    for place, (began, _) in enumerate(ordered):
        ends = sorted(end for _, end in ordered[place:])
        for count, end in enumerate(ends, 1):
            allowed = a_second + math.floor(a_second * (end - began + _SLACK))
            most = max(most, count - allowed)
    return most


async def play(
    state: Path, tenant: str, seconds: float, sign: Callable[[Scope], Tokens], say: Callable[[str], None]
) -> list[Played]:
    """Load the mesh in `state` with each agent of `tenant` (org/tenant) in turn; `sign` gives the tokens of an agent.

    Raises Unable, Rejected and MeshNotRunning, and ValueError for what is no tenant.
    """
    played: list[Played] = []
    proxy = read_facts(state).proxy
    async with httpx.AsyncClient(base_url=proxy, trust_env=False, timeout=_TIMEOUT) as client:
        for line in TABLE:
            scope = Scope.parse(f"{tenant}/{line.agent}")
            offered = line.a_second * FASTER
            say(f"{line.agent}: {offered} calls a second, {seconds:g} s")
            tokens = sign(scope).take(round(offered * seconds))
            before = await asyncio.to_thread(_used, state, scope)
            replies = await _replies(client, line.call, list(tokens), 1 / offered)
            after = await asyncio.to_thread(_used, state, scope)
            spent = None if before is None or after is None else Spent(before[0], *after)
            played.append(Played(line, replies, spent))
    return played


def _used(state: Path, scope: Scope) -> tuple[int, int, str] | None:
    """What is used of an agent's budget, how much that is, and its currency."""
    for limit in limits_of(state, scope).limits:
        if limit.kind == "budget":
            return limit.used, limit.of, limit.currency
    return None


async def _replies(client: httpx.AsyncClient, call: Call, tokens: Sequence[str], interval: float) -> list[Reply]:
    """Send a call for each token, so many seconds apart whatever becomes of them."""
    began = _now()

    async def reply(number: int, token: str) -> Reply:
        due_at = began + number * interval
        await asyncio.sleep(due_at - _now())
        return await _reply(client, call, token, due_at)

    return await asyncio.gather(*(reply(number, token) for number, token in enumerate(tokens)))


async def _reply(client: httpx.AsyncClient, call: Call, token: str, due_at: float) -> Reply:
    headers = {**call.headers, "host": call.host, TOKEN_HEADER: token}
    sent_at = _now()
    try:
        answer = await client.request(call.method, call.path, content=call.body, headers=headers)
    except httpx.HTTPError as fault:
        return Reply(due_at, sent_at, _now(), "", type(fault).__name__)
    ended_at = _now()
    if answer.headers.get("x-aegis-decision") == Effect.ALLOW.value:
        fault_text = "" if answer.is_success else f"allowed, and answered with {answer.status_code}"
        return Reply(due_at, sent_at, ended_at, "", fault_text)
    reason = reason_of(answer.content)
    return Reply(due_at, sent_at, ended_at, reason, "" if reason else f"HTTP {answer.status_code} without a decision")


def _now() -> float:
    return asyncio.get_running_loop().time()
