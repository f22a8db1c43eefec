"""One run of the benchmark, with everyone up: the rounds are played and the figures gathered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.load.vegeta import Plan
from benchmarks.measure import figures
from benchmarks.measure.cpu import resident_mib
from benchmarks.measure.machine import taken_by_others, ticks
from benchmarks.measure.results import FLOOR, PEER, Method, Results
from benchmarks.measure.rounds import ClosedRound, Entrant, Rounds, Target, ceiling, targets_of

SHARES = (0.25, 0.5, 0.7, 0.85)
"""Of the ceiling, the rates of the open loop."""
QUICK_SHARES = (0.5, 0.85)
OVERLOAD = 1.5
"""Of the ceiling, what is offered to Aegis to see what it does with too much."""
_HOST = "Aegis ("
"""How the names of Aegis in each of its hosts begin."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How much is to be played. `seconds` is of a round, `policies` those loaded beside the one asked for."""

    rounds: int
    seconds: float
    connections: int
    policies: int
    shares: Sequence[float] = SHARES


@dataclass(frozen=True, slots=True)
class LineUp:
    """Who takes part. `default` names Aegis as delivered; `left_out` tells who is not there, and how to have him."""

    contenders: Sequence[Entrant]
    default: str
    left_out: Mapping[str, str]


async def play(line_up: LineUp, wish: Wish, rounds: Rounds, machine: Mapping[str, str]) -> Results:
    """Closed loop, then open loop. Raises what sending raises, OSError when a process of a contender is gone."""
    before = ticks()
    plan = Plan(None, wish.seconds, wish.connections)
    closed = await rounds.closed(line_up.contenders, wish.rounds, plan)
    targets = _targets(line_up, closed, wish.shares)
    played = await rounds.open(targets, wish.rounds, plan)
    stolen = taken_by_others(before, ticks())
    contenders = [
        figures.contender(contender.name, closed[contender.name], targets, played, rounds.spent, _memory(contender))
        for contender in line_up.contenders
    ]
    method = Method(
        rounds=wish.rounds,
        seconds=wish.seconds,
        connections=wish.connections,
        policies=wish.policies,
        load="vegeta, on the same machine",
        notes=(f"The host of this machine gave {stolen:.1%} of its time to others.",),
    )
    return Results(
        machine=machine,
        method=method,
        default=line_up.default,
        contenders=tuple(contenders),
        left_out=line_up.left_out,
    )


def _targets(line_up: LineUp, closed: Mapping[str, Sequence[ClosedRound]], shares: Sequence[float]) -> list[Target]:
    most = {contender.name: ceiling(closed[contender.name]) for contender in line_up.contenders}
    by_name = {contender.name: contender for contender in line_up.contenders}
    hosts = [(contender, most[name]) for name, contender in by_name.items() if name.startswith(_HOST)]
    peer = [(by_name[PEER], most[PEER])] if PEER in by_name else []
    # the peer at the rates of Aegis, too: a tail says little beside that of another rate
    beside = [
        Target(contender, line_up.default, share, most[line_up.default] * share)
        for contender, _ in peer
        for share in shares
        if line_up.default in most
    ]
    targets = targets_of(by_name.get(FLOOR), [*peer, *hosts], shares)
    return [*targets, *beside, *targets_of(None, hosts, [OVERLOAD])]


def _memory(contender: Entrant) -> dict[str, float]:
    return {
        part: sum(resident_mib({str(pid): pid for pid in members}).values()) for part, members in contender.pids.items()
    }
