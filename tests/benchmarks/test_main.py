from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.__main__ import main, publish
from benchmarks.measure.results import Idle, Results, read, write
from benchmarks.report.tables import END, START
from tests.support.sample_runs import DEFAULT, answers, contender, run


@pytest.fixture
def quiet() -> Console:
    return Console(file=StringIO(), width=140)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "docs" / "performance.md"
    path.parent.mkdir()
    path.write_text(f"{START}\n{END}\n", "utf-8")
    return path


def said(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_run_is_kept_printed_and_drawn(
    good_run: Results, tmp_path: Path, quiet: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(good_run, tmp_path, None, quiet) == 0
    assert read(tmp_path / "latest.json") == good_run
    assert "MISSED" not in capsys.readouterr().out
    assert (tmp_path / "cpu-by-part.png").is_file()


def test_a_missed_goal_is_said_and_fails_nothing(
    tmp_path: Path, quiet: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = run(contender("naive Python", 1000.0), contender(DEFAULT, 1000.0))
    assert publish(slow, tmp_path, None, quiet) == 0
    assert "MISSED" in capsys.readouterr().out


def test_a_wrong_answer_fails_the_run_and_keeps_it_off_the_page(tmp_path: Path, quiet: Console, page: Path) -> None:
    before = page.read_text("utf-8")
    assert publish(run(contender(DEFAULT, 500.0, seen=answers(wrong=1))), tmp_path, page, quiet) == 1
    assert page.read_text("utf-8") == before
    assert "void" in said(quiet)


def test_the_page_gets_the_table_and_the_pictures_it_shows(
    good_run: Results, tmp_path: Path, quiet: Console, page: Path
) -> None:
    publish(good_run, tmp_path, page, quiet)
    assert DEFAULT in page.read_text("utf-8")
    assert {path.name for path in (page.parent / "performance").iterdir()} == {
        "cpu-by-part.svg",
        "latency-against-load.svg",
    }


def test_what_the_other_benchmarks_found_last_joins_the_run(good_run: Results, tmp_path: Path, quiet: Console) -> None:
    idle = Idle(cores={"authz": 0.002}, seconds=30)
    (tmp_path / "idle.json").write_text(idle.model_dump_json(), "utf-8")
    publish(good_run, tmp_path, None, quiet)
    assert read(tmp_path / "latest.json").idle == idle


def test_what_is_unreadable_beside_the_run_is_left_out_and_said(
    good_run: Results, tmp_path: Path, quiet: Console
) -> None:
    (tmp_path / "flat.json").write_text("{}", "utf-8")
    publish(good_run, tmp_path, None, quiet)
    assert read(tmp_path / "latest.json").flat is None
    assert "flat.json is left out" in said(quiet)


def test_two_runs_are_compared_without_starting_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, total in (("a", 500.0), ("b", 600.0)):
        write(tmp_path / f"{name}.json", run(contender(DEFAULT, total)))
    monkeypatch.setattr(sys, "argv", ["bench", "--compare", f"{tmp_path}/a.json", f"{tmp_path}/b.json"])
    assert main() == 0
    assert "+20%" in capsys.readouterr().out


def test_a_file_that_is_no_run_is_said_to_be_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--compare", f"{tmp_path}/a.json", f"{tmp_path}/b.json"])
    assert main() == 2
    assert "a.json" in capsys.readouterr().err


def test_a_quick_run_does_not_get_onto_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", "--write-docs"])
    with pytest.raises(SystemExit):
        main()
