"""The page of a standing decision."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from aegis_authz.approvals.standing_decision import StandingEffect
from aegis_authz.control.pages.frame import Frame
from aegis_authz.control.pages.templates import page_of
from aegis_authz.core.approval import Approval
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.person import Person
from aegis_authz.notices.words import ascii_line, headline

_VERBS = {StandingEffect.ALLOW: "Allow", StandingEffect.DENY: "Deny"}


@dataclass(frozen=True, slots=True)
class StandingSheet:
    """What the page shows: a document to be edited, or that it is `saved`; `refusal` says why it was not."""

    approval: Approval
    person: Person
    effect: StandingEffect
    seal: str
    frame: Frame
    document: str = ""
    findings: tuple[str, ...] = ()
    refusal: str = ""
    saved: str = ""


def standing_page(sheet: StandingSheet) -> Response:
    """The page; 409 with a refusal."""
    request = sheet.approval.request
    return page_of(
        "standing.html",
        409 if sheet.refusal else 200,
        sheet.frame,
        id=request.id,
        headline=headline(request),
        verb=_VERBS[sheet.effect],
        effect=sheet.effect.value,
        session=ascii_line(request.session),
        document=sheet.document,
        findings=[ascii_line(finding) for finding in sheet.findings],
        refusal=sheet.refusal,
        saved=sheet.saved,
        seal=sheet.seal,
        person=ascii_line(sheet.person.id),
        most_note=MOST_NOTE,
    )
