"""`make bench`: what a decision costs, against the Go peer and everyone else, in one run on this machine.

Prints one table and the goals met or missed, draws pictures, and writes benchmarks/out/latest.json. Figures of
different machines or runs cannot be compared, only ratios of one run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TypeVar

import uvloop
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from aegis_authz import native
from aegis_authz.demo.mesh import CommandFailed
from aegis_authz.load.fetch_vegeta import VegetaMissing, find_vegeta
from aegis_authz.load.vegeta import LoadFailed
from aegis_authz.local.servers import ServerMissing
from benchmarks.contenders.lineup import NAMES, QUICK, line_up
from benchmarks.measure.cores import on, placement_of
from benchmarks.measure.machine import describe
from benchmarks.measure.processes import NotUp
from benchmarks.measure.repeats import middle
from benchmarks.measure.results import Flat, Idle, Mix, Results, Scale, Worst, read, write
from benchmarks.measure.rounds import Rounds
from benchmarks.measure.run import QUICK_SHARES, SHARES, Wish, play
from benchmarks.measure.sender import Vegeta
from benchmarks.report import comparison, pictures, tables
from benchmarks.report.goals import goals

OUT = Path(__file__).parent / "out"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_UNUSABLE = 2
_Beside = TypeVar("_Beside", Flat, Idle, Worst, Mix, Scale)


def main() -> int:
    """Run or compare; returns the exit code: 1 when a wrong answer voids the run, 2 when there was none."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.quick and arguments.write_docs:
        parser.error("--write-docs is for a whole run")
    console = Console(stderr=True)
    os.environ[native.VARIABLE] = native.Mode.OFF.value  # who runs compiled modules says so
    try:
        if arguments.compare:
            Console(width=tables.WIDE).print(comparison.table(comparison.compare(*map(read, arguments.compare))))
            return 0
        with tempfile.TemporaryDirectory(prefix="aegis-bench-") as folder:
            results = middle([_repeat(Path(folder), arguments, console, run) for run in range(arguments.runs)])
        return publish(results, OUT, PAGE if arguments.write_docs else None, console)
    except (NotUp, VegetaMissing, LoadFailed, CommandFailed, ServerMissing, OSError, ValueError) as fault:
        console.print(Text(f"bench: {fault}", style="bold red"), soft_wrap=True)
        return _UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"under two minutes: {', '.join(QUICK)}; 2 rounds of 2 s")
    parser.add_argument("--rounds", type=int, help="rounds of each load (default: 5)")
    parser.add_argument("--runs", type=_count, default=1, help="whole runs; shows the one in the middle (default: 1)")
    parser.add_argument("--seconds", type=float, help="seconds of a round (default: 5)")
    parser.add_argument("--connections", type=int, default=24, help="of the closed loop (default: 24)")
    parser.add_argument("--policies", type=int, default=1000, help="other policies loaded (default: 1000)")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"of: {', '.join(NAMES)}")
    parser.add_argument("--write-docs", action="store_true", help="put table and pictures into docs/")
    parser.add_argument("--compare", nargs=2, type=Path, metavar="RUN", help="compare two runs and start nothing")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of runs")
    return int(text)


def _repeat(folder: Path, arguments: argparse.Namespace, console: Console, run: int) -> Results:
    """The run of this number, counted from 0, with processes of its own, which are gone when it ends."""
    if arguments.runs > 1:
        console.print(f"run {run + 1} of {arguments.runs}", style="bold")
    place = folder / str(run)
    place.mkdir()
    return uvloop.run(_run(place, arguments, console))


async def _run(folder: Path, arguments: argparse.Namespace, console: Console) -> Results:
    wish = Wish(
        rounds=arguments.rounds or (2 if arguments.quick else 5),
        seconds=arguments.seconds or (2.0 if arguments.quick else 5.0),
        connections=arguments.connections,
        policies=arguments.policies,
        shares=QUICK_SHARES if arguments.quick else SHARES,
    )
    binary = find_vegeta()
    calls = folder / "calls"
    calls.mkdir()  # before anything is served
    names = arguments.only or (QUICK if arguments.quick else NAMES)
    cores = placement_of(os.sched_getaffinity(0))
    with on(cores.load):
        async with line_up(folder, names, wish.policies, cores.measured, console.print) as up:
            tables.show_left_out(console, up.line_up.left_out)
            loads = Vegeta(binary, calls, up.signer, up.allowed, up.denied)
            return await play(up.line_up, wish, Rounds(loads, console.print), describe(up.peer, str(cores)))


def publish(results: Results, out: Path, page: Path | None, console: Console) -> int:
    """Write and print a run, with what other benchmarks last wrote into `out`; returns the exit code.

    `page` is the Markdown page that gets table and pictures, None for none. Raises OSError, ValueError.
    """
    beside = {
        "flat": _beside(out / "flat.json", Flat, console),
        "idle": _beside(out / "idle.json", Idle, console),
        "worst": _beside(out / "worst.json", Worst, console),
        "mix": _beside(out / "mix.json", Mix, console),
        "scale": _beside(out / "scale.json", Scale, console),
    }
    results = results.model_copy(update=beside)
    latest = out / "latest.json"
    write(latest, results)
    verdicts = goals(results)
    tables.show(Console(width=tables.WIDE), results, verdicts)
    paths = [latest, *pictures.draw(results, out)]
    if page is not None and results.wrong:
        console.print(Text(f"{page} is left as it is: the run is void", style="bold red"), soft_wrap=True)
    elif page is not None:
        tables.write_docs(results, verdicts, page)
        paths += [page, *pictures.draw(results, page.with_suffix(""), ("svg",))]
    console.print(Text(f"wrote {', '.join(map(str, paths))}"), soft_wrap=True)
    return 1 if results.wrong else 0


def _beside(path: Path, kind: type[_Beside], console: Console) -> _Beside | None:
    """What another benchmark wrote when it last ran, None when it has not or it cannot be read."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as fault:
        console.print(Text(f"{path} is left out: {fault}", style="yellow"))
        return None


if __name__ == "__main__":
    sys.exit(main())
