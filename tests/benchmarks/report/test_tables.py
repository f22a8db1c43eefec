from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.measure.repeats import middle
from benchmarks.measure.results import PEER, Answers, Point, Results, read, write
from benchmarks.report.comparison import compare
from benchmarks.report.goals import goals
from benchmarks.report.tables import END, START, WIDE, markdown, show, write_docs
from tests.support.sample_runs import DEFAULT, answers, contender, point, run


def shown(results: Results) -> str:
    page = StringIO()
    show(Console(file=page, width=WIDE), results, goals(results))
    return page.getvalue()


def test_a_run_is_read_as_it_was_written(good_run: Results, tmp_path: Path) -> None:
    write(tmp_path / "out" / "latest.json", good_run)
    assert read(tmp_path / "out" / "latest.json") == good_run


def test_the_file_holds_what_the_table_shows(good_run: Results, tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    write(path, good_run)
    text = path.read_text("utf-8")
    assert all(f'"{name}"' in text for name in ("cpu_us_per_decision", "p999_ms", "errors", "ratio_to_peer"))
    assert good_run.ratio_to_peer == pytest.approx(
        {PEER: 1, "naive Python": 1 / 3, DEFAULT: 2}
        | {"Aegis without record": 1000 / 480, "Aegis without span": 1000 / 460, "Aegis without metrics": 1000 / 490}
    )


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"rows": []}', "utf-8")
    with pytest.raises(ValueError, match="method"):
        read(tmp_path / "a.json")


def test_the_table_fits_and_cuts_nothing(good_run: Results) -> None:
    text = shown(good_run)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= WIDE


def test_each_contender_has_a_line_for_each_load(good_run: Results) -> None:
    lines = shown(good_run).splitlines()
    mine = next(number for number, line in enumerate(lines) if line.lstrip().startswith(DEFAULT))
    assert "2.00" in lines[mine]
    assert [line.split()[1] for line in lines[mine + 1 : mine + 4]] == ["25%", "85%", "150%"]


def at_rate(rate: float, seen: Answers, cpu_seconds: float) -> Point:
    return point(rate / 1000, seen=seen).model_copy(update={"cpu_seconds": cpu_seconds})


def cells(results: Results, name: str, row: int) -> list[str]:
    """Of a contender's row of the page, counted from that of its closed loop."""
    table = markdown(results, []).split("\n\n")[0].splitlines()
    head = next(number for number, line in enumerate(table) if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in table[head + row].split("|")[1:-1]]


def test_a_rate_has_what_a_decision_costs_there_beside_the_peers_at_that_rate() -> None:
    calls = answers(right=1000)
    mine = contender(DEFAULT, 500.0, at_rate(300.0, calls, 0.8), at_rate(600.0, calls, 0.6))
    peer = contender(PEER, 1000.0, at_rate(300.2, calls, 0.4))
    results = run(mine, peer)
    assert cells(results, DEFAULT, 1)[8:14] == ["800", "", "", "", "", "0.50"]
    assert cells(results, DEFAULT, 2)[8:14] == ["600", "", "", "", "", ""]


def test_a_rate_without_a_right_answer_has_no_cost() -> None:
    results = run(contender(DEFAULT, 500.0, at_rate(300.0, answers(right=0), 0.8)))
    assert cells(results, DEFAULT, 1)[8:14] == [""] * 6


def test_whoever_was_left_out_is_named_with_the_way_to_have_him(good_run: Results) -> None:
    text = shown(good_run.model_copy(update={"left_out": {PEER: "Run: git clone ..."}}))
    assert f"LEFT OUT: {PEER}. Run: git clone ..." in text


def test_a_wrong_answer_voids_the_run_and_says_whose() -> None:
    text = shown(run(contender(DEFAULT, 500.0, seen=answers(wrong=2))))
    assert "2 wrong answers: this run is VOID" in text
    assert f"{DEFAULT}, closed loop: at fault 2 x HTTP 200 where 403 was due" in text


def test_a_refusal_is_told_with_its_reason(good_run: Results) -> None:
    assert f"{DEFAULT}, 150% offered: refused 540 x OVERLOADED" in shown(good_run)


def test_the_page_gets_the_table_between_its_markers(good_run: Results, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{START}\nold\n{END}\nafter\n", "utf-8")
    for _ in range(2):
        write_docs(good_run, goals(good_run), page)
    text = page.read_text("utf-8")
    assert text.startswith(f"before\n{START}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "\nold\n" not in text
    assert text.count(f"| {DEFAULT} | closed |") == 1


def test_a_page_without_markers_is_left_alone(good_run: Results, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("mine\n", "utf-8")
    with pytest.raises(ValueError, match="table"):
        write_docs(good_run, [], page)
    assert page.read_text("utf-8") == "mine\n"


def test_every_row_of_the_page_has_every_column(good_run: Results) -> None:
    table, *_ = markdown(good_run, []).split("\n\n")
    assert len({line.count("|") for line in table.splitlines()}) == 1


def test_two_runs_agree_when_a_median_lies_within_the_others_spread() -> None:
    first, second = run(contender(DEFAULT, 500.0)), run(contender(DEFAULT, 520.0))
    assert all(one.agree for one in compare(first, second))


def test_two_runs_differ_when_both_medians_lie_outside() -> None:
    first, second = run(contender(DEFAULT, 500.0)), run(contender(DEFAULT, 600.0))
    found = {one.figure: one for one in compare(first, second)}
    assert not found["µs CPU"].agree
    assert found["µs CPU"].change == pytest.approx(0.2)
    assert found["right/s"].agree


def test_only_who_played_in_both_is_compared() -> None:
    assert compare(run(contender(PEER, 1000.0)), run(contender(DEFAULT, 500.0))) == []


def test_of_several_runs_the_slowest_stands_beside_the_one_that_is_shown() -> None:
    runs = [run(contender(PEER, 300.0), contender(DEFAULT, cost)) for cost in (500.0, 900.0, 600.0)]
    shown_run = middle(runs)
    assert cells(shown_run, DEFAULT, 0)[13:15] == ["0.50", "900"]
    text = shown(shown_run)
    assert "3 runs, with processes of their own" in text
    assert "in the slowest of 3 runs 0.33x" in " ".join(text.split())
    assert cells(runs[0], DEFAULT, 0)[14] == ""
