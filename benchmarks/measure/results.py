"""What a run of the benchmark found, as it is kept in benchmarks/out/latest.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median

from pydantic import BaseModel, ConfigDict, computed_field

FLOOR = "Envoy alone"
PEER = "opa-envoy-plugin (Go)"
NAIVE = "naive Python"
BOUND = "Aegis (bound token)"
LIMITED = "Aegis with three limits"
EQUAL = "Aegis, equal work"
"""Aegis that does what the Go peer does, and no more: no record, span, metrics, settle or remembered answer."""
COMPILED, EQUAL_COMPILED = "Aegis, compiled", "Aegis, equal work, compiled"
"""Where compiled modules are installed: with everything on, and of equal work."""
SIDECAR, SIDECAR_COMPILED = "Aegis (workload)", "Aegis (workload), compiled"
"""With everything on, by listeners that stand for an agent each: no call shows a token."""

DECIDING = ("authz", "opa", "redis")
"""The parts whose CPU is the cost of a decision. The Envoy in front is shown beside it: everyone has it."""
QUANTILES = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "p999_ms": 0.999}

Spread = tuple[float, float]
"""Least and most of the rounds."""
Milliseconds = Mapping[str, float | None]
"""By the names of `QUANTILES`; None where there was no right answer."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Answers(_Value):
    """What became of the calls of some rounds; `faults` tells the wrong and the failed apart, in words."""

    right: int
    refused: Mapping[str, int]
    wrong: int
    failed: int
    faults: Mapping[str, int]

    @property
    def turned_away(self) -> int:
        """All refused calls, whatever the reason."""
        return sum(self.refused.values())

    @property
    def errors(self) -> int:
        """Calls answered wrongly or not at all."""
        return self.wrong + self.failed


class Point(_Value):
    """A contender at one rate of the open loop; medians of the rounds.

    `share` is of its own ceiling, `offered` calls and `rate` right answers a second. `added` is the latency less
    that of Envoy alone at the same rate, None where that was not measured. `cpu_seconds` are of the deciding parts, of
    all rounds together, None in a run that was kept before that was measured.
    """

    share: float
    offered: float
    rate: float
    rate_spread: Spread
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    p99_spread: Spread | None
    added: Milliseconds | None
    answers: Answers
    cpu_seconds: float | None = None

    @property
    def us_per_decision(self) -> float | None:
        """Microseconds of CPU of the deciding parts for each right answer, what refusals cost included."""
        if self.cpu_seconds is None or not self.answers.right:
            return None
        return self.cpu_seconds * 1e6 / self.answers.right


class Contender(_Value):
    """A contender in the closed loop, and at each rate of the open one; medians of the rounds.

    `cpu_us_per_decision` is microseconds for each right answer by part, and `total` the deciding parts together.
    The latencies are those of the closed loop, where every connection waits for its answer: they follow from the
    rate and the number of connections. `rate` is the ceiling the shares of the open loop are of.
    """

    name: str
    cpu_us_per_decision: Mapping[str, float]
    cpu_spread: Spread
    rate: float
    rate_spread: Spread
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    resident_mib: Mapping[str, float]
    answers: Answers
    open: tuple[Point, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def errors(self) -> int:
        """Calls answered wrongly or not at all, in every loop."""
        return self.answers.errors + sum(point.answers.errors for point in self.open)

    @property
    def wrong(self) -> int:
        """Calls answered wrongly, in every loop."""
        return self.answers.wrong + sum(point.answers.wrong for point in self.open)

    @property
    def total(self) -> float:
        """Microseconds of CPU of all deciding parts for one decision."""
        return self.cpu_us_per_decision["total"]

    def at(self, share: float) -> Point | None:
        """The point at this share of the ceiling."""
        return next((point for point in self.open if point.share == share), None)


class Method(_Value):
    """How the run was made."""

    rounds: int
    seconds: float
    connections: int
    policies: int
    load: str
    notes: tuple[str, ...]


class Flat(_Value):
    """What benchmarks.flat found: microseconds of CPU for one decision by number of policies, and of agents."""

    policies: Mapping[int, float]
    agents: Mapping[int, float]
    opa_mib: Mapping[str, float]


class Idle(_Value):
    """What benchmarks.idle found: the share of a core that each process of a mesh without calls takes."""

    cores: Mapping[str, float]
    seconds: float


class DearInput(_Value):
    """One input of benchmarks.worst: bytes as they are read and as they were sent, and the CPU time of reading them.

    `microseconds` are of the whole input, `plain` of each KiB of plain JSON of its length, `times` how often that goes
    into each KiB as it is read, `times_wire` as it was sent. `taken` says whether it is accepted.
    """

    kind: str
    subject: str
    shape: str
    size: int
    wire: int
    microseconds: float
    plain: float
    times: float
    times_wire: float
    taken: bool

    @property
    def most(self) -> float:
        """The greater of the two multiples."""
        return max(self.times, self.times_wire)


class Worst(_Value):
    """What benchmarks.worst found, and on which machine."""

    machine: Mapping[str, str]
    inputs: tuple[DearInput, ...]

    @property
    def dearest(self) -> dict[tuple[str, str], DearInput]:
        """The dearest input of each reader, by kind and name, in the order in which they were read."""
        found: dict[tuple[str, str], DearInput] = {}
        for entry in self.inputs:
            key = entry.kind, entry.subject
            if key not in found or entry.most > found[key].most:
                found[key] = entry
        return found


MIX_COLD, MIX_NEW, MIX_HOT, MIX_TWO = "cold", "new", "hot", "two calls"
"""What `benchmarks.mix` measures of a contender: its first pass of the mix, calls that it never saw when it is warm,
the first pass again, and today's two calls.
"""


class Mix(_Value):
    """What benchmarks.mix found: microseconds of CPU for one decision, by contender, by `MIX_COLD` and its like.

    `costs` are of authorizer, OPA and Redis together, `by_part` has each. `calls` are those of a pass, `rounds` how
    often each was played but the first, which there is once; `refused` by contender and reason.
    """

    calls: int
    rounds: int
    costs: Mapping[str, Mapping[str, float]]
    by_part: Mapping[str, Mapping[str, Mapping[str, float]]]
    refused: Mapping[str, Mapping[str, int]]

    def times_peer(self, name: str, state: str) -> float | None:
        """Decisions of this contender for a second of CPU, as a multiple of the Go peer's; None without either."""
        peer, own = self.costs.get(PEER, {}).get(state), self.costs.get(name, {}).get(state)
        return peer / own if peer and own else None


class Scale(_Value):
    """Right answers a second of one and of two authorizers, round by round, each with `share` of a core."""

    share: float
    seconds: float
    one: tuple[float, ...]
    two: tuple[float, ...]

    @property
    def factor(self) -> float:
        """How many times of one two are, by medians."""
        return median(self.two) / median(self.one)


class Repeat(_Value):
    """Another run of the same, with processes of its own: closed loop, by contender; and its wrong answers."""

    us_per_decision: Mapping[str, float]
    ratio_to_peer: Mapping[str, float]
    wrong: int


class Results(_Value):
    """A run. `default` names the contender that is Aegis as delivered; `left_out` tells whom and why.

    `repeats` are the other runs of several, of which this is the one in the middle. `flat`, `idle`, `worst`, `mix` and
    `scale` are what those benchmarks found when they last ran, None when they did not.
    """

    machine: Mapping[str, str]
    method: Method
    default: str
    contenders: tuple[Contender, ...]
    left_out: Mapping[str, str]
    repeats: tuple[Repeat, ...] = ()
    flat: Flat | None = None
    idle: Idle | None = None
    worst: Worst | None = None
    mix: Mix | None = None
    scale: Scale | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ratio_to_peer(self) -> dict[str, float]:
        """Decisions for a second of CPU by contender, as a multiple of the Go peer's: more is better."""
        peer = self.contender(PEER)
        if peer is None:
            return {}
        return {contender.name: peer.total / contender.total for contender in self.contenders if contender.total}

    @property
    def wrong(self) -> int:
        """Wrong answers of everyone, in every run; one voids the run."""
        return sum(contender.wrong for contender in self.contenders) + sum(repeat.wrong for repeat in self.repeats)

    def slowest(self, name: str) -> float | None:
        """Microseconds of CPU for a decision of this contender in the run where it took most; None of one run."""
        mine = self.contender(name)
        if mine is None or not mine.total or not self.repeats:
            return None
        return max(mine.total, *(repeat.us_per_decision.get(name, 0.0) for repeat in self.repeats))

    def least_ratio(self, name: str) -> float | None:
        """The least multiple of the Go peer that this contender reached in any run; None of one run."""
        runs = [self.ratio_to_peer, *(repeat.ratio_to_peer for repeat in self.repeats)]
        reached = [ratios[name] for ratios in runs if name in ratios]
        return min(reached) if self.repeats and reached else None

    def contender(self, name: str) -> Contender | None:
        """The contender of this name, None when it did not take part."""
        return next((contender for contender in self.contenders if contender.name == name), None)


def write(path: Path, results: Results) -> None:
    """Keep a run as JSON. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(results.model_dump_json(indent=2) + "\n", "utf-8")


def read(path: Path) -> Results:
    """A run that `write` kept. Raises OSError, and ValueError for anything else."""
    return Results.model_validate_json(path.read_bytes())
