"""The page on which several held calls are read, each whole, and decided, each for itself."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.approvals.statement import is_statement_of, statement_text
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.pages.rendering import Pages, problem_page
from aegis_authz.control.pages.templates import page_of
from aegis_authz.core.approval import Approval
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.person import Person
from aegis_authz.notices.words import ascii_line, explanation, headline

MOST = 20
"""Calls on one page: nobody reads more."""
_ROW = "row "
"""Before the names of the fields by which calls are marked."""
_CALL = re.compile(r'<pre class="call">(.*?)</pre>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one call of a batch."""

    approval: Approval
    outcome: str


def batch_page(pages: Pages, approvals: Sequence[Approval], person: Person, request: Request) -> Response:
    """Those that expire first, each whole and with a mark of its own. A mark is sealed as a form about that call is.

    Where one does not read back from the page as the very call, none is shown.
    """
    first = sorted(approvals, key=lambda approval: approval.request.expires_at)[:MOST]
    rows = [
        {
            "id": approval.request.id,
            "field": f"{_ROW}{approval.request.id}",
            "headline": headline(approval.request),
            "explanation": explanation(approval.request),
            "call": statement_text(approval.request),
            "seal": "" if approval.request.confirm else pages.seal(approval, person, request),
        }
        for approval in first
    ]
    more, name = len(approvals) - len(first), ascii_line(person.id)
    response = page_of(
        "batch.html",
        200,
        frame_of(request),
        rows=rows,
        results=(),
        more=more,
        person=name,
        most_note=MOST_NOTE,
    )
    shown = _CALL.findall(bytes(response.body).decode("utf-8"))
    if len(shown) != len(first) or not all(
        is_statement_of(html.unescape(text), approval.request) for text, approval in zip(shown, first, strict=True)
    ):
        return problem_page(HttpProblem(500, "a call cannot be shown as it is, and so none is decided here"), request)
    return response


def results_page(results: Sequence[RowResult], request: Request) -> Response:
    """What became of each."""
    rows = [
        {
            "id": result.approval.request.id,
            "headline": headline(result.approval.request),
            "outcome": ascii_line(result.outcome),
        }
        for result in results
    ]
    return page_of("batch.html", 200, frame_of(request), rows=(), results=rows, more=0, person="", most_note=MOST_NOTE)


def marked(fields: Mapping[str, str]) -> dict[str, str]:
    """The calls that are marked in a form, with the seals of their marks. Raises HttpProblem for none, or too many."""
    marks = {name.removeprefix(_ROW): seal for name, seal in fields.items() if name.startswith(_ROW)}
    if not 0 < len(marks) <= MOST:
        raise HttpProblem(400, f"mark 1 to {MOST} calls")
    return marks
