"""The page of oversight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from aegis_authz.approvals.oversight import Stamp
from aegis_authz.control.pages.frame import Frame
from aegis_authz.control.pages.templates import page_of
from aegis_authz.evidence.oversight import Figures
from aegis_authz.notices.words import ascii_line

_MOST_ROWS = 100
USUAL_DAYS = 30
"""Of how many days the figures are where nobody says so."""
_SPANS = ("1", "7", "30", "90", "366")
"""For how many days there are choices; the address takes any number up to a year."""


def oversight_page(
    days: float, tables: Mapping[str, Sequence[Figures]], stamps: Sequence[Stamp], frame: Frame
) -> Response:
    """How people decided in so many days, a table for each grouping."""
    return page_of(
        "oversight.html",
        200,
        frame,
        days=f"{days:g}",
        usual=f"{USUAL_DAYS}",
        spans=sorted({*_SPANS, f"{days:g}"}, key=float),
        empty=not any(tables.values()),
        stamps=[f"{ascii_line(stamp.person)}: {stamp}" for stamp in stamps],
        tables=[{"by": by, "rows": [*map(_cells, rows[:_MOST_ROWS])]} for by, rows in tables.items()],
    )


def _cells(row: Figures) -> list[str]:
    seconds = "-" if row.median_seconds is None else f"{row.median_seconds:.1f}"
    counts = (row.asked, row.approved, row.denied, row.cancelled, row.expired)
    return [ascii_line(row.key) or "(nobody)", *map(str, counts), seconds, str(row.hasty)]
