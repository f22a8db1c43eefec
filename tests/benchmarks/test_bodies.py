"""What the formats of bodies cost: that they hold the same call, and what the page says."""

from __future__ import annotations

import re

import pytest

from aegis_authz.core.catalogue import BodyFormat
from aegis_authz.wire.http.tool_call import read_tool_call
from benchmarks.bodies import FIELDS, MOST_OF_A_FORM, PAGE, call_of

_ROW = re.compile(r"^\| (\d+) \| \d+ \| ([0-9.]+)x \| ([0-9.]+)x \|$", re.MULTILINE)


@pytest.mark.parametrize("count", FIELDS)
def test_every_format_holds_the_same_call(count: int) -> None:
    formats = (BodyFormat.JSON, BodyFormat.FORM, BodyFormat.MULTIPART)
    of_json, *others = (read_tool_call(*call_of(body_format, count)).parameters for body_format in formats)
    assert len(of_json) == count
    assert all(parameters == of_json for parameters in others)


def test_the_page_says_that_a_form_costs_what_it_may() -> None:
    rows = _ROW.findall(PAGE.read_text("utf-8"))
    assert [int(count) for count, _, _ in rows] == list(FIELDS)
    assert all(float(form) <= MOST_OF_A_FORM for _, form, _ in rows)
