"""Spend as bars: every amount is in the chart, in order, and as long as it is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_authz.control.spend.charts import BY, Chart, first_day, sheets_of
from aegis_authz.evidence.spend import Dimension, SpendRow

NOW = 1_800_000_000.0  # 2027-01-15 08:00 UTC
SINCE = first_day(NOW, 7)


def row(
    agent: str = "acme/emea/bot", tool: str = "bank", day: str = "2027-01-15", currency: str = "EUR", micros: int = 10
) -> SpendRow:
    return SpendRow((agent.rpartition("/")[0], agent, tool, day), currency, 1, micros, micros // 2, 0)


def chart(rows: list[SpendRow], by: Dimension) -> Chart:
    [sheet] = sheets_of(rows, SINCE, 7)
    return next(entry for entry in sheet.charts if entry.by is by)


def test_days_without_a_call_have_a_bar_of_nothing() -> None:
    bars = chart([row(), row(day="2027-01-13", micros=20)], Dimension.DAY).bars
    assert [(bar.label, bar.micros) for bar in bars] == [
        ("2027-01-09", 0),
        ("2027-01-10", 0),
        ("2027-01-11", 0),
        ("2027-01-12", 0),
        ("2027-01-13", 20),
        ("2027-01-14", 0),
        ("2027-01-15", 10),
    ]
    assert bars[4].settled_at.height + bars[4].estimated_at.height == 160
    assert bars[6].settled_at.height + bars[6].estimated_at.height == 80


def test_each_currency_has_a_sheet_of_its_own() -> None:
    sheets = sheets_of([row(), row(currency="USD", micros=7), row(micros=5)], SINCE, 7)
    assert [(sheet.currency, sheet.micros, sheet.unsettled, sheet.calls) for sheet in sheets] == [
        ("EUR", 15, 7, 2),
        ("USD", 7, 3, 1),
    ]


def test_values_are_in_order_of_what_they_cost_and_the_least_of_many_are_one_bar() -> None:
    rows = [row(tool=f"tool-{number:02}", micros=number) for number in range(1, 21)]
    drawn = chart(rows, Dimension.TOOL)
    assert [bar.label for bar in drawn.bars[:2]] == ["tool-20", "tool-19"]
    assert (drawn.bars[-1].label, drawn.bars[-1].micros, drawn.others) == ("8 others", sum(range(1, 9)), 8)
    assert sum(bar.micros for bar in drawn.bars) == sum(range(1, 21))


def test_a_single_value_more_than_there_is_room_for_stands_for_itself() -> None:
    rows = [row(tool=f"tool-{number:02}", micros=number) for number in range(1, 14)]
    drawn = chart(rows, Dimension.TOOL)
    assert (len(drawn.bars), drawn.others, drawn.bars[-1].label) == (13, 0, "tool-01")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdefghijklmnopq"), st.integers(0, 4 * 10**15)), max_size=40))
def test_no_bar_leaves_its_drawing_and_a_longer_one_costs_no_less(drawn: list[tuple[str, int]]) -> None:
    rows = [row(agent=f"acme/emea/{name}", tool=name, micros=micros) for name, micros in drawn]
    for sheet in sheets_of(rows, SINCE, 7):
        assert sheet.micros == sum(entry.micros for entry in rows)
        assert [entry.by for entry in sheet.charts] == [Dimension.DAY, *BY[:3]]
        for entry in sheet.charts:
            assert sum(bar.micros for bar in entry.bars) == sheet.micros
            for bar in entry.bars:
                for place in (bar.settled_at, bar.estimated_at):
                    assert min(place.x, place.y, place.width, place.height) >= 0
                    assert place.x + place.width <= entry.width
                    assert place.y + place.height <= entry.height
        lengths = [(bar.micros, bar.settled_at.width + bar.estimated_at.width) for bar in sheet.charts[1].bars]
        assert [length for _, length in sorted(lengths)] == sorted(length for _, length in lengths)
