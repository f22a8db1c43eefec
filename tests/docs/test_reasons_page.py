"""docs/reasons.md says of every reason what the tables say, and what somebody can do."""

from __future__ import annotations

import re
from pathlib import Path

from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.wire.status_codes import STATUS_CODES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reasons.md"
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (.*) \|$", re.MULTILINE)


def _rows() -> list[tuple[str, list[str]]]:
    return [(row[1], re.split(r" \| ", row[2])) for row in _ROW.finditer(PAGE.read_text("utf-8"))]


def test_the_page_lists_every_reason_once_in_the_order_of_the_table() -> None:
    assert [code for code, _ in _rows()] == [reason.value for reason in Reason]


def test_a_row_says_what_the_tables_say() -> None:
    for code, (status, retry, text, *_) in _rows():
        spec, codes = REASONS[Reason(code)], STATUS_CODES[Reason(code)]
        assert (status, retry, text) == (str(codes.http), f"`{spec.retry.value}`", spec.text), code


def test_a_row_says_who_causes_it_and_what_to_do() -> None:
    for code, cells in _rows():
        assert len(cells) == 5, code
        assert all(len(cell) > 3 for cell in cells[3:]), code
