"""Workers are compared by calls that they answer rightly: compiled and not, whole and of equal work."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from aegis_authz.native import Build, Manifest
from aegis_authz.wire.envoy.ext_authz import read_check_request
from benchmarks.contenders.documents import ALLOWED, REFUSED
from benchmarks.contenders.lone_mesh import lone_mesh
from benchmarks.contenders.missing_part import EQUAL
from benchmarks.contenders.workers import AS_COMPILED, AS_DELIVERED, EQUAL_WORK
from benchmarks.native import COMPILED_KINDS, KINDS, entrants, measure, question, show, wanted

ROOT = Path(__file__).parents[2]
LEFT_OUT = """
from benchmarks.contenders.missing_part import EQUAL, leave_out
leave_out(EQUAL)
from aegis_authz.bootstrap import worker
for place in ("FileRecordLog.append", "FileRecordLog.append_all", "DecisionMetrics.count", "RedisStore.settle", "OpaPdp"):
    name, _, member = place.partition(".")
    left = vars(worker)[name]
    print(place, (getattr(left, member) if member else left).__module__)
"""


def test_a_question_is_read_as_one_of_envoy() -> None:
    message, is_allowed = question(ALLOWED, "token", "route")
    call = read_check_request(message)
    assert (is_allowed, call.path, call.body, call.route) == (True, ALLOWED.path, ALLOWED.body, "route")
    assert call.headers["x-aegis-token"] == ("token",)
    assert question(REFUSED, "token", "route")[1] is False


def test_compiled_workers_take_part_where_their_build_can_be_run() -> None:
    build = Build(Path(), Manifest("", "", {}, {}, ""), "")
    assert wanted(build) == ({**KINDS, **COMPILED_KINDS}, "")
    assert wanted(None) == (KINDS, "no compiled workers: run `make compiled`")
    stale = Build(Path(), Manifest("", "", {}, {}, ""), "they were made of other sources: a.py")
    assert wanted(stale) == (KINDS, "no compiled workers: they were made of other sources: a.py")


def test_a_worker_is_told_which_modules_to_run() -> None:
    assert AS_DELIVERED.environment["AEGIS_NATIVE"] == "off"
    assert AS_COMPILED.environment["AEGIS_NATIVE"] == "required"


def test_equal_work_is_put_together_by_the_benchmark_and_by_no_setting() -> None:
    assert EQUAL_WORK.command(Path("c.yaml"))[1:] == ("-m", "benchmarks.contenders.missing_part", EQUAL, "c.yaml")
    assert EQUAL_WORK.settings == {**AS_DELIVERED.settings, "otlp_endpoint": ""}


def test_equal_work_leaves_out_record_metrics_settle_and_remembered_answers() -> None:
    process = subprocess.run(
        [sys.executable, "-c", LEFT_OUT], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert {line.split()[1] for line in process.stdout.splitlines()} == {"benchmarks.contenders.missing_part"}
    assert len(process.stdout.splitlines()) == 5


def test_what_it_costs_is_shown_with_its_share_of_the_first() -> None:
    console = Console(width=120, record=True)
    costs = {
        "everything on": {"worker": 300.0, "opa": 80.0, "redis": 20.0},
        "equal work": {"worker": 200.0, "opa": 100.0, "redis": 0.0},
    }
    show(console, costs, "no compiled workers: run `make compiled`")
    text = console.export_text()
    assert "0.75" in text
    assert "make compiled" in text


@pytest.mark.slow
@pytest.mark.usefixtures("opa_binary", "redis_binary", "envoy_binary")
async def test_workers_are_measured_and_that_of_equal_work_records_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with lone_mesh(2, words=("--budget-ms", "2000")) as mesh, entrants(mesh, Path(folder), KINDS) as workers:
            costs = await measure(mesh, workers, 1)
        sizes = [sum(file.stat().st_size for file in Path(folder, n).rglob("*.jsonl")) for n in "01"]
    assert all(cost["worker"] > 0 for cost in costs.values())
    assert sizes[0] > 100_000 > sizes[1]
