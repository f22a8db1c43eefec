"""Sends a load with vegeta, in a closed loop or at a fixed rate, and reads what came of it."""

from __future__ import annotations

import asyncio
import os
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.load.fetch_vegeta import VegetaMissing, find_vegeta
from aegis_authz.load.outcome import Outcome
from aegis_authz.load.results import read_outcome

__all__ = ["LoadFailed", "Plan", "VegetaMissing", "attack", "find_vegeta"]

_TIMEOUT = 10
"""Seconds after which a call counts as not answered."""
_MOST_BODY = 2048
"""Bytes kept of an answer: more than any refusal of ours has."""
_ENDS_WITHIN = 5.0
_PROXIES = {"http_proxy", "https_proxy", "no_proxy", "all_proxy"}


class LoadFailed(Exception):
    """vegeta could not send the load or its results cannot be read; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a load is sent.

    `rate` is calls a second, whatever becomes of them (open loop); None sends over each of the `connections` the
    next call when the last was answered (closed loop). Raises ValueError for what cannot be sent.
    """

    rate: float | None
    seconds: float
    connections: int

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.connections < 1:
            raise ValueError("a load needs some seconds and at least one connection")
        if self.rate is not None and self._per_minute() < 1:
            raise ValueError("the rate must be at least one call a minute")

    @property
    def interval(self) -> float:
        """Seconds between two calls of an open loop, cut to the nanosecond as vegeta does; 0 in a closed one."""
        return 60_000_000_000 // self._per_minute() / 1e9 if self.rate is not None else 0.0

    def arguments(self) -> list[str]:
        """The plan in the words of vegeta."""
        words = [f"-duration={round(self.seconds * 1000)}ms", f"-workers={self.connections}"]
        if self.rate is None:
            ends = [f"-max-workers={self.connections}", f"-connections={self.connections}"]
            return [*words, "-rate=0", *ends]
        # Neither workers nor connections are bounded: a bound would make a slow server set the rate.
        return [*words, f"-rate={self._per_minute()}/1m"]

    def _per_minute(self) -> int:
        return round((self.rate or 0) * 60)


async def attack(vegeta: Path, targets: Path, plan: Plan) -> Outcome:
    """Send the targets of `calls.write_targets`, each once, until the plan's time is over or they run out.

    `targets` may be a named pipe. vegeta is gone when this ends, cancelled too. Raises LoadFailed, OSError.
    """
    with tempfile.TemporaryDirectory(prefix="aegis-load-") as folder:
        raw, table = Path(folder, "results.gob"), Path(folder, "results.csv")
        await _run(
            vegeta,
            "attack",
            "-format=json",
            "-lazy",
            f"-targets={targets}",
            f"-output={raw}",
            "-redirects=-1",
            f"-timeout={_TIMEOUT}s",
            f"-max-body={_MOST_BODY}",
            *plan.arguments(),
        )
        await _run(vegeta, "encode", "-to=csv", f"-output={table}", str(raw))
        try:
            return await asyncio.to_thread(_read, table, plan)
        except (ValueError, IndexError) as problem:
            raise LoadFailed(f"the results of vegeta cannot be read: {problem}") from problem


def _read(table: Path, plan: Plan) -> Outcome:
    with table.open(encoding="utf-8", errors="replace", newline="") as lines:
        return read_outcome(lines, plan.rate, plan.interval)


async def _run(vegeta: Path, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        vegeta, *arguments, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env=_without_proxies(os.environ)
    )
    try:
        _, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _ENDS_WITHIN)
            except TimeoutError:
                process.kill()
                await process.wait()
    if process.returncode != 0:
        text = complaints.decode("utf-8", "replace").strip()
        raise LoadFailed(f"vegeta {arguments[0]} ended with {process.returncode}: {text[-500:]}")


def _without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    # The proxy under load is addressed itself; one of the environment would come in between.
    return {name: value for name, value in environment.items() if name.lower() not in _PROXIES}
