"""How large a mesh for so many calls is: arithmetic on what the benchmark measured, nothing else.

The figures are in figures.json beside this, which `make docs-sizing` writes from docs/performance.md and from
`benchmarks.footprint`. None is typed in here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import accumulate, pairwise

MOST_RPS, MOST_AGENTS, LONGEST_LIFE = 1_000_000, 1_000_000, 3600.0
WORKERS_OF_A_GATEWAY = 2
_SPARE = 2
"""Cores are planned so that half of them are free."""
_DAY = 86_400
_MICROSECONDS = 1_000_000


class SizingFault(Exception):
    """What was asked for is no mesh; the message says which bounds hold."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Calls a second, agents with a policy each, and how many seconds a token lives."""

    rps: float
    agents: int
    token_life: float

    def __post_init__(self) -> None:
        """Raises SizingFault."""
        if not 0 < self.rps <= MOST_RPS:  # NaN is not
            raise SizingFault(f"--rps is calls a second: above 0, at most {MOST_RPS:,}")
        if not 1 <= self.agents <= MOST_AGENTS:
            raise SizingFault(f"--agents is a whole number from 1 to {MOST_AGENTS:,}")
        if not 1 <= self.token_life <= LONGEST_LIFE:
            raise SizingFault(f"--token-life is seconds: from 1 to {LONGEST_LIFE:g}")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured: microseconds of CPU for each decision by part, MiB resident by part, MiB of OPA by number of
    policies, and bytes of one call.
    """

    cpu_us: Mapping[str, float]
    resident_mib: Mapping[str, float]
    opa_mib: tuple[tuple[int, float], ...]
    record: float
    key: float
    keys: float
    redis_traffic: float


@dataclass(frozen=True, slots=True)
class Size:
    """A mesh. Cores are those that are busy; `planned_cores` twice as many. Memory in MiB, the rest as named."""

    cores: Mapping[str, float]
    planned_cores: int
    authorizers: int
    gateways: int
    opa_mib: float
    authorizers_mib: float
    redis_keys: int
    redis_mib: float
    redis_mbit: float
    record_bytes: int
    records_gib_a_day: float
    breaks_first: str
    breaks_at_rps: int


def figures() -> Figures:
    """The figures of this version."""
    text = (files(__package__) / "figures.json").read_text("utf-8")
    content = json.loads(text)
    points = sorted((int(policies), mib) for policies, mib in content.pop("opa_mib").items())
    # what waits for OPA's collector may be more than its policies: a larger mesh is never planned with less
    most = accumulate((mib for _, mib in points), max)
    return Figures(opa_mib=tuple(zip((policies for policies, _ in points), most, strict=True)), **content)


def size(demand: Demand, measured: Figures) -> Size:
    """The mesh that a demand takes."""
    cores = {part: demand.rps * us / _MICROSECONDS for part, us in measured.cpu_us.items()}
    authorizers = max(WORKERS_OF_A_GATEWAY, math.ceil(_SPARE * cores["authz"]))
    gateways = max(math.ceil(authorizers / WORKERS_OF_A_GATEWAY), math.ceil(_SPARE * cores["opa"]))
    keys = math.ceil(demand.rps * demand.token_life * measured.keys)
    # Redis runs commands on one core; all else is more of the same
    ends = {
        "Redis": _MICROSECONDS / measured.cpu_us["redis"],
        "the authorizers": authorizers * _MICROSECONDS / measured.cpu_us["authz"],
        "OPA": gateways * _MICROSECONDS / measured.cpu_us["opa"],
    }
    first = min(ends, key=lambda part: ends[part])
    return Size(
        cores=cores,
        planned_cores=math.ceil(_SPARE * sum(cores.values())),
        authorizers=authorizers,
        gateways=gateways,
        opa_mib=gateways * opa_memory(demand.agents, measured.opa_mib),
        authorizers_mib=authorizers * measured.resident_mib["authz"],
        redis_keys=keys,
        redis_mib=measured.resident_mib["redis"] + keys * measured.key / 2**20,
        redis_mbit=demand.rps * measured.redis_traffic * 8 / 10**6,
        record_bytes=round(measured.record),
        records_gib_a_day=demand.rps * measured.record * _DAY / 2**30,
        breaks_first=first,
        breaks_at_rps=math.floor(ends[first]),
    )


def opa_memory(policies: int, points: tuple[tuple[int, float], ...]) -> float:
    """MiB of one OPA with so many policies: on the line between the two points that were measured around them, beyond
    the last on that line led on, and below the first as much as there.
    """
    if policies <= points[0][0]:
        return points[0][1]
    segments = list(pairwise(points))
    (x, y), (right, top) = next((segment for segment in segments if policies <= segment[1][0]), segments[-1])
    return y + (policies - x) * (top - y) / (right - x)
