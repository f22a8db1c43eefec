from __future__ import annotations

from pathlib import Path

from benchmarks.measure.results import FLOOR, PEER, Results
from benchmarks.report.pictures import CPU, LATENCY, draw
from tests.support.sample_runs import DEFAULT, contender, run


def test_each_picture_is_there_for_pages_and_for_screens(good_run: Results, tmp_path: Path) -> None:
    written = draw(good_run, tmp_path / "out")
    assert {path.name for path in written} == {f"{name}.{kind}" for name in (CPU, LATENCY) for kind in ("svg", "png")}
    assert all(path.read_bytes()[:4] in (b"<?xm", b"\x89PNG") for path in written)


def test_equal_figures_give_equal_files(good_run: Results, tmp_path: Path) -> None:
    one, other = (draw(good_run, tmp_path / name, ("svg",)) for name in "ab")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_latency_names_everyone_who_played_the_open_loop_and_nobody_else(good_run: Results, tmp_path: Path) -> None:
    draw(good_run, tmp_path, ("svg",))
    drawn = (tmp_path / f"{LATENCY}.svg").read_text("utf-8")
    assert all(f"<!-- {name} -->" in drawn for name in (FLOOR, PEER, DEFAULT))
    assert "<!-- naive Python -->" not in drawn


def test_without_an_open_loop_there_is_no_picture_of_latency(tmp_path: Path) -> None:
    assert [path.stem for path in draw(run(contender(DEFAULT, 500.0)), tmp_path, ("svg",))] == [CPU]
