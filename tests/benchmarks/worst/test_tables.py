"""What was found is told for each reader, short and longer inputs apart, and the page has it."""

from __future__ import annotations

import io

from rich.console import Console

from aegis_authz.core.catalogue import BodyFormat
from aegis_authz.policy.language.operators import OPERATORS
from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.wire.bodies.coding import CODINGS
from benchmarks.measure.results import DearInput, Worst
from benchmarks.worst.__main__ import END, PAGE, START, worst_of
from benchmarks.worst.cases import KIB, Case, Cost, Kind, nothing
from benchmarks.worst.tables import markdown, show, verdict


def cost(subject: str, shape: str, size: int, times: float, wire: int = 0) -> Cost:
    case = Case(Kind.CODING if wire else Kind.BODY, subject, shape, size, wire or size, nothing)
    return Cost(case, times * 20.0 * size / KIB, 20.0)


def found(*costs: Cost) -> Worst:
    return worst_of(costs, {"cpu": "a good one"})


def test_the_dearest_short_and_the_dearest_longer_input_are_told_of_each_reader() -> None:
    worst = found(
        cost("json", "names", KIB, 19.0),
        cost("json", "numbers", KIB, 7.0),
        cost("json", "members", 2 * KIB, 21.0),
        cost("form", "fields", KIB, 3.0),
    )
    lines = markdown(worst).splitlines()
    assert lines[2] == "| body | `json` | 19.0x | names | **21.0x** | members | 2,048 | 0.8 | 420 | 20 |  |"
    assert lines[3] == "| body | `form` | 3.0x | fields |  |  | 1,024 | 0.1 | 60 | 20 |  |"
    assert lines[-1] == "cpu: a good one."


def test_a_body_that_was_sent_shorter_is_told_by_what_was_sent_too() -> None:
    worst = found(cost("gzip", "spaces", 64 * KIB, 2.0, wire=KIB))
    assert markdown(worst).splitlines()[2].endswith("| 128.0x |")
    assert "the dearest is coding gzip at 128.0x" in verdict(worst)


def test_what_is_within_meets_the_goal_and_what_is_beyond_misses_it() -> None:
    assert verdict(found(cost("json", "names", KIB, 20.0))).endswith("Goal: met.")
    missed = verdict(found(cost("json", "names", KIB, 20.1), cost("form", "fields", KIB, 1.0)))
    assert missed.startswith("1 of 2 stay within 20x (2 where inputs longer than 1 KiB are counted alone")
    assert missed.endswith("the dearest is body json at 20.1x (names). Goal: missed.")
    assert "(0 where" in verdict(found(cost("json", "names", 2 * KIB, 20.1)))


def test_an_input_that_is_refused_is_told_as_such() -> None:
    entry = DearInput(
        kind="body",
        subject="json",
        shape="no end",
        size=10,
        wire=10,
        microseconds=1.0,
        plain=1.0,
        times=1.0,
        times_wire=1.0,
        taken=False,
    )
    written = io.StringIO()
    show(Console(file=written, width=200), Worst(machine={}, inputs=(entry,)))
    assert "no end, refused" in written.getvalue()


def test_the_page_has_a_row_for_every_reader_detector_and_condition() -> None:
    table = PAGE.read_text("utf-8").partition(START)[2].partition(END)[0]
    subjects = (*(kind.value for kind in BodyFormat), *CODINGS, *DETECTORS, *OPERATORS)
    assert [subject for subject in subjects if f" `{subject}` |" not in table] == []
