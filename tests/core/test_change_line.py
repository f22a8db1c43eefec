from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.change_line import FIRST_PREVIOUS, Act, ChangeLine, ChangeLogAltered, verify_lines
from aegis_authz.core.units import Epoch

ACTS = st.builds(
    Act,
    st.floats(0, 1e10).map(Epoch),
    *(st.text(max_size=8) for _ in range(5)),
)


def chain(acts: list[Act]) -> list[ChangeLine]:
    lines: list[ChangeLine] = []
    for act in acts:
        lines.append(ChangeLine.after(len(lines), lines[-1].hash if lines else FIRST_PREVIOUS, act))
    return lines


@given(st.lists(ACTS, max_size=6))
def test_lines_as_they_were_written_are_a_chain(acts: list[Act]) -> None:
    assert verify_lines(chain(acts)) == len(acts)


@given(st.lists(ACTS, min_size=1, max_size=6), st.data())
def test_a_line_with_another_act_breaks_it(acts: list[Act], data: st.DataObject) -> None:
    lines = chain(acts)
    place = data.draw(st.integers(0, len(lines) - 1))
    other = data.draw(ACTS.filter(lambda act: act != lines[place].act))
    lines[place] = replace(lines[place], act=other)
    with pytest.raises(ChangeLogAltered, match=f"line {place + 1} "):
        verify_lines(lines)


@given(st.lists(ACTS, min_size=2, max_size=6), st.data())
def test_a_line_that_is_gone_breaks_it_unless_it_was_the_last(acts: list[Act], data: st.DataObject) -> None:
    lines = chain(acts)
    del lines[data.draw(st.integers(0, len(lines) - 2))]
    with pytest.raises(ChangeLogAltered):
        verify_lines(lines)


def test_members_cannot_be_moved_into_each_other() -> None:
    act = Act(Epoch(1.0), "ann", "a:b", "x", "y", "")
    moved = replace(act, subject="", domain="xy")
    assert ChangeLine.after(0, FIRST_PREVIOUS, act).hash != ChangeLine.after(0, FIRST_PREVIOUS, moved).hash
