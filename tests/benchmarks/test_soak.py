from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from aegis_authz.load.outcome import Outcome
from benchmarks.measure.samples import (
    DESCRIPTORS,
    KEYS,
    MEMORY,
    Restarted,
    Sample,
    Sampler,
    Series,
    record_bytes,
    record_lines,
)
from benchmarks.report.steadiness import SoakReport, judge, keep

WARM_UP = 60.0
WINDOWS = 40
SENT = 1000


class NoRedis:
    def dbsize(self) -> int:
        return 7

    def info(self, section: str) -> dict[str, int]:
        return {"used_memory": 2**20}


def window(**changes: object) -> Outcome:
    fields: dict[str, object] = {
        "offered": 200.0,
        "seconds": 5.0,
        "sent": SENT,
        "right": SENT,
        "refused": {},
        "wrong": 0,
        "failed": 0,
        "faults": {},
        "latencies": (0.004,) * SENT,
    }
    return Outcome(**{**fields, **changes})  # type: ignore[arg-type]


def samples(leak: float = 0.0, keys: Mapping[int, float] | None = None, record: float = 900.0) -> list[Sample]:
    """A sample every five seconds; `leak` is MiB of OPA in each, `keys` those of some, `record` bytes of a call."""
    taken = []
    for number in range(1, WINDOWS + 1):
        values: dict[Series, float] = {("opa", MEMORY): 100 + leak * number, ("opa", DESCRIPTORS): 12.0}
        values["redis", KEYS] = (keys or {}).get(number, 5000.0)
        taken.append(Sample(5.0 * number, values, round(record * SENT * number)))
    return taken


def judged(taken: list[Sample], outcomes: list[Outcome] | None = None, records: int = WINDOWS * SENT) -> SoakReport:
    return judge(200.0, outcomes or [window()] * WINDOWS, taken, records, WARM_UP)


def test_a_steady_mesh_has_no_fault() -> None:
    found = judged(samples())
    assert found.faults == ()
    assert found.right == WINDOWS * SENT


def test_a_leak_fails_with_a_sentence_that_names_process_and_series() -> None:
    (fault,) = judged(samples(leak=1.0)).faults
    assert fault.startswith("opa: memory in MiB drifts by 2")
    assert fault.endswith("% over the run, +27.0 on 126.5")


def test_what_fills_up_during_the_warm_up_does_not_drift() -> None:
    assert judged(samples(keys={number: number * 400.0 for number in range(13)})).faults == ()


def test_latency_that_climbs_fails() -> None:
    outcomes = [window(latencies=(0.004 + 0.001 * number,) * SENT) for number in range(WINDOWS)]
    assert any(fault.startswith("calls: 99th percentile") for fault in judged(samples(), outcomes).faults)


def test_a_window_without_a_right_answer_says_nothing_of_latency() -> None:
    outcomes = [window()] * (WINDOWS - 1) + [window(right=0, latencies=(), refused={"OVERLOADED": SENT})]
    assert not any("latency" in fault for fault in judged(samples(), outcomes).faults)


def test_a_wrong_answer_fails() -> None:
    outcomes = [window()] * (WINDOWS - 1) + [window(right=SENT - 2, wrong=2, faults={"HTTP 200 where 403 was due": 2})]
    assert judged(samples(), outcomes).faults == (
        "calls: 2 answered wrongly or not at all, HTTP 200 where 403 was due",
    )


def test_many_refusals_fail_and_a_few_do_not() -> None:
    few = [window()] * (WINDOWS - 1) + [window(right=SENT - 9, refused={"OVERLOADED": 9})]
    many = [window(right=SENT - 20, refused={"OVERLOADED": 20})] * WINDOWS
    assert judged(samples(), few).faults == ()
    assert judged(samples(), many).faults == ("calls: of 40000 more than 1% were refused, 800 OVERLOADED",)


def test_missing_records_fail() -> None:
    assert judged(samples(), records=39_999).faults == ("records: 39999 were written for 40000 decisions",)


def test_too_short_a_run_is_refused() -> None:
    with pytest.raises(ValueError, match="show no trend"):
        judge(200.0, [window()] * 15, samples()[:15], 15 * SENT, WARM_UP)


def test_figures_and_pictures_are_kept(tmp_path: Path) -> None:
    found = judged(samples(leak=1.0))
    table, *pictures = keep(found, tmp_path)
    assert SoakReport.model_validate_json(table.read_bytes()) == found
    assert [path.name for path in pictures] == ["soak.svg", "soak.png"]
    assert all(path.stat().st_size > 1000 for path in pictures)


def test_a_sample_holds_what_the_system_says_of_a_process(tmp_path: Path) -> None:
    values = Sampler(tmp_path, lambda: {"me": os.getpid()}, NoRedis()).take().values  # type: ignore[arg-type]
    assert values["me", MEMORY] > 1
    assert values["me", DESCRIPTORS] > 2
    assert values["redis", KEYS] == 7


def test_a_process_that_was_started_again_is_noticed(tmp_path: Path) -> None:
    pids = {"opa": os.getpid(), "redis": os.getpid()}
    sampler = Sampler(tmp_path, lambda: dict(pids), NoRedis())  # type: ignore[arg-type]
    pids["opa"] = 1
    with pytest.raises(Restarted, match=r"^opa ended"):
        sampler.take()


def test_records_of_all_writers_are_counted(tmp_path: Path) -> None:
    for writer in ("authz-0", "authz-1"):
        (tmp_path / writer).mkdir()
        (tmp_path / writer / "00000001.jsonl").write_bytes(b"{}\n{}\n")
    assert record_lines(tmp_path) == 4
    assert record_bytes(tmp_path) == 12
