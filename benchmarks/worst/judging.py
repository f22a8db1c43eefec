"""What a condition costs a real OPA with the real library: more than the same call under a rule without conditions."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import yaml

from aegis_authz.adapters.opa.http import OpaHttp
from aegis_authz.adapters.opa.pdp import ANSWER_PATH
from aegis_authz.core.call import NO_RPC, CallKind, ToolCall
from aegis_authz.core.decision import Decision, Evaluation
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Digest, Epoch, Jti
from aegis_authz.wire.opa.answer import decisions_from_data, question_to_data
from benchmarks.contenders.lone_opa import lone_opa
from benchmarks.measure.cpu import cpu_seconds
from benchmarks.worst.cases import Case, Cost, Kind, nothing, plain_microseconds
from benchmarks.worst.conditions import BESIDE, MEMBER, NO_CONDITION, SIZES, TRIALS, Trial

_TOOL, _ACTION = "dear", "call"
_PADDING = "padding"
_BARE = "bare"
_SCOPE = ("acme", "emea")
_NOON = Epoch(1_800_000_000.0)
_READS = frozenset({"time"})


@dataclass(frozen=True, slots=True)
class Judge:
    """An OPA that judges one call at a time."""

    http: OpaHttp
    pid: int

    async def microseconds(self, agent: str, parameters: Mapping[str, Json], effect: Effect, rounds: int) -> float:
        """CPU time that a decision takes it, the least of so many rounds. Raises ValueError for another effect."""
        question = orjson.dumps(question_to_data(_question(agent, parameters)))
        least = float("inf")
        for _ in range(rounds):
            before = cpu_seconds({"opa": self.pid})["opa"]
            _, answer = await self.http.post(ANSWER_PATH, b'{"input":{"calls":[%b]}}' % question)
            least = min(least, cpu_seconds({"opa": self.pid})["opa"] - before)
        (decision,) = decisions_from_data(orjson.loads(answer)["result"], 1)
        if not isinstance(decision, Decision) or decision.effect is not effect:
            raise ValueError(f"{agent}: {decision} and not {effect.value}")
        return least * 1e6


def trials() -> Iterator[tuple[str, str, Trial]]:
    """Every trial with its word, and the agent whose rule has the condition."""
    for word, tried in (*TRIALS.items(), *BESIDE.items()):
        for number, trial in enumerate(tried):
            yield word, f"{word.replace('_', '-')}-{number}", trial


def write_documents(folder: Path) -> None:
    """A document for each trial and one without conditions, below `policies`, and `tools`. Raises OSError."""
    for name in ("policies", "tools"):
        (folder / name).mkdir()
    conditions = {agent: trial.conditions for _, agent, trial in trials()}
    for agent, words in {**conditions, _BARE: {}}.items():
        rule = {"name": _TOOL, "actions": [_ACTION], **({"conditions": words} if words else {})}
        document = {"org": _SCOPE[0], "tenant": _SCOPE[1], "agent": agent, "allowed_tools": [rule]}
        (folder / "policies" / f"{agent}.yaml").write_text(yaml.safe_dump(document), "utf-8")
    tool = {"tool": _TOOL, "host": "dear.example", "actions": {_ACTION: {"match": "POST /call"}}}
    (folder / "tools" / "dear.yaml").write_text(yaml.safe_dump(tool), "utf-8")


@asynccontextmanager
async def judge() -> AsyncIterator[Judge]:
    """An OPA with the documents of all trials. Raises ServerMissing, OSError, ValueError."""
    with tempfile.TemporaryDirectory(prefix="aegis-worst-") as name:
        folder = Path(name)
        write_documents(folder)
        async with lone_opa(folder) as (socket, pid):
            http = OpaHttp(socket)
            yield Judge(http, pid)
            await http.close()


async def cost_of(opa: Judge, word: str, agent: str, trial: Trial, size: int, rounds: int) -> Cost:
    """What a trial costs at a size. Raises ValueError where its call is judged otherwise than it says."""
    parameters = _parameters(trial.value(size), size)
    spent = await opa.microseconds(agent, parameters, trial.effect, rounds)
    bare = 0.0 if word == NO_CONDITION else await opa.microseconds(_BARE, parameters, Effect.ALLOW, rounds)
    length = len(orjson.dumps(parameters))
    case = Case(Kind.CONDITION, word, trial.shape, length, length, nothing)
    return Cost(case, max(0.0, spent - bare), plain_microseconds(length, rounds))


async def costs(rounds: int, sizes: Sequence[int] = SIZES) -> list[Cost]:
    """What every trial costs at every size, those once that come to the same. Raises what `judge` does."""
    async with judge() as opa:
        found: dict[tuple[str, str, int], Cost] = {}
        for word, agent, trial in trials():
            for size in sizes:
                spent = await cost_of(opa, word, agent, trial, size, rounds)
                found[word, trial.shape, spent.case.size] = spent
        return [*found.values()]


def _parameters(value: Json, size: int) -> Mapping[str, Json]:
    """The parameters with a value: what is shorter than the call is to be has a text beside it."""
    if isinstance(value, dict):
        return value
    return {MEMBER: value} if isinstance(value, str | list) else {MEMBER: value, _PADDING: " " * size}


def _question(agent: str, parameters: Mapping[str, Json]) -> Evaluation:
    who = Identity(
        *(Scope(*_SCOPE, agent), "a", "k", Jti("j"), Epoch(0.0), Epoch(1.0), (), "", Way.TOKEN, None, "", None)
    )
    place = ("dear.example", None, "POST", "/call", "", NO_RPC)
    call = ToolCall(CallKind.ACTION, _TOOL, _ACTION, parameters, (), *place, Digest("d"), "", "http", {}, {}, 1)
    return Evaluation(who, call, _NOON, "production", "", _READS, None)
