"""The pages of agents: how each stands, its keys, what it may do, and how it is stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from aegis_authz.api.limits import LimitAnswer
from aegis_authz.control.agents.roster import Entry, Standing
from aegis_authz.control.pages.frame import Frame
from aegis_authz.control.pages.limits import limit_row
from aegis_authz.control.pages.templates import address, page_of
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.effect import Effect
from aegis_authz.core.units import Revision
from aegis_authz.notices.words import ascii_line
from aegis_authz.policy.rights import Ground, Right, Rights

_ON_PAGE = 50
_MOST_ROWS = 200
"""Rows of rights on one page; a filter by tool shows the others."""
_KINDS = {
    Standing.ACTIVE: "good",
    Standing.QUARANTINED: "wait",
    Standing.REVOKED: "bad",
    Standing.UNKNOWN: "note",
}
_COVERS = {
    "enforced": "",
    "observed": "Its documents only watch: every call of a known tool passes, and what they would say is recorded.",
    "absent": "No document is about this agent, so that every call of it is refused.",
}
_CLOSED = ("of a document for more than this tenant, which is read by who reads all policies",)
STATES = tuple(standing.value for standing in Standing)
"""How agents stand, in words."""


@dataclass(frozen=True, slots=True)
class RosterFilter:
    """What a list of agents shows: part of a name, a state ("" for all), and which page of it, from 1."""

    name: str
    state: str
    page: int

    def keeps(self, entry: Entry) -> bool:
        """Whether the agent is in the list."""
        return self.name in str(entry.scope) and self.state in ("", entry.standing.value)

    def href(self, page: int) -> str:
        """The address of another page of the same list."""
        return address("/agents", {"name": self.name, "state": self.state, "page": "" if page == 1 else page})


def agents_page(entries: Sequence[Entry], choice: RosterFilter, frame: Frame) -> Response:
    """The list of agents."""
    matching = [entry for entry in entries if choice.keeps(entry)]
    start = (choice.page - 1) * _ON_PAGE
    return page_of(
        "agents.html",
        200,
        frame,
        rows=[_entry(entry) for entry in matching[start : start + _ON_PAGE]],
        total=len(matching),
        filters=[
            {"name": "name", "label": "Name holds", "value": choice.name},
            {"name": "state", "label": "State", "value": choice.state, "choices": STATES},
        ],
        before=choice.href(choice.page - 1) if choice.page > 1 else "",
        after=choice.href(choice.page + 1) if len(matching) > start + _ON_PAGE else "",
    )


@dataclass(frozen=True, slots=True)
class AgentSheet:
    """What the page of one agent shows.

    `rights` are those of `revision`; `sees_all_documents` says whether the reader may read conditions of documents for
    more than this tenant. `limits_note` says why there are no `limits`, "" where they were looked for. `seals` are
    those of the forms by verb, none for who may not stop agents; `sees_decisions` and `sees_spend` say which of those
    pages the reader may open. `tool` is the one whose rights are shown, "" for all.
    """

    entry: Entry
    revision: Revision
    rights: Rights
    sees_all_documents: bool
    limits: Sequence[LimitAnswer]
    limits_note: str
    seals: Mapping[str, str]
    sees_decisions: bool
    sees_spend: bool
    tool: str
    refusal: str = ""


def agent_page(sheet: AgentSheet, status: int, frame: Frame) -> Response:
    """The page of one agent; `refusal` says why the last form was not taken."""
    scope, rights = sheet.entry.scope, sheet.rights
    rows = [row for row in rights.rows if sheet.tool in ("", row.tool)]
    tenant = f"{scope.org}/{scope.tenant}/"
    own = {document.name for document in rights.documents if document.scope.startswith(tenant)}
    readable = {document.name for document in rights.documents} if sheet.sees_all_documents else own
    return page_of(
        "agent.html",
        status,
        frame,
        agent=_entry(sheet.entry),
        org=scope.org,
        tenant=scope.tenant,
        name=scope.agent,
        keys=_keys(sheet.entry),
        stops=[_stop(sheet.entry, index) for index in range(len(sheet.entry.revocations))],
        quarantine=_quarantine(sheet.entry),
        revision=ascii_line(sheet.revision),
        documents=[
            {"name": ascii_line(document.name), "mode": document.mode, "scope": document.scope}
            for document in rights.documents
        ],
        cover=_COVERS[rights.cover],
        rights=[_right(row, readable) for row in rows[:_MOST_ROWS]],
        more=max(0, len(rows) - _MOST_ROWS),
        tools=sorted({row.tool for row in rights.rows}),
        tool=sheet.tool,
        refused=len(rights.refused),
        limits=[limit_row(limit) for limit in sheet.limits],
        limits_note=sheet.limits_note,
        seals=sheet.seals,
        sees_decisions=sheet.sees_decisions,
        sees_spend=sheet.sees_spend,
        refusal=ascii_line(sheet.refusal),
        most_note=MOST_NOTE,
    )


def _entry(entry: Entry) -> dict[str, object]:
    return {
        "scope": str(entry.scope),
        "tenant": entry.scope.tenant_path,
        "name": entry.scope.agent,
        "state": entry.standing.value,
        "kind": _KINDS[entry.standing],
        "owner": ascii_line(entry.owner),
        "keys": len(entry.registered.keys),
        "ways": ", ".join(sorted(way.value for way in entry.registered.ways)),
    }


def _keys(entry: Entry) -> list[dict[str, object]]:
    keys: list[dict[str, object]] = []
    for key_id in sorted(entry.registered.keys):
        enrolled = entry.registered.enrolled.get(key_id)
        keys.append(
            {
                "id": key_id,
                "origin": "a document"
                if enrolled is None
                else f"enrolled, invited by {ascii_line(enrolled.invited_by)}",
                "since": None if enrolled is None else enrolled.enrolled_at,
                "is_revoked": any(stop.target.name == key_id for stop in entry.revocations),
            }
        )
    return keys


def _stop(entry: Entry, index: int) -> dict[str, object]:
    stop = entry.revocations[index]
    return {
        "target": ascii_line(str(stop.target)),
        "kind": stop.target.kind.value,
        "by": ascii_line(stop.by),
        "at": stop.at,
    }


def _quarantine(entry: Entry) -> dict[str, object] | None:
    if entry.quarantine is None:
        return None
    return {"by": ascii_line(entry.quarantine.by), "since": entry.quarantine.since, "until": entry.quarantine.until}


def _right(row: Right, readable: set[str]) -> dict[str, object]:
    return {
        "tool": ascii_line(row.tool),
        "action": "all others" if row.action == "*" else ascii_line(row.action),
        "effect": row.effect.value,
        "asks": row.asks and row.effect < Effect.APPROVAL_NEEDED,
        "why": ascii_line(row.why),
        "allowing": [_ground(ground, readable) for ground in row.allowing],
        "denying": [_ground(ground, readable) for ground in row.denying],
        "waiving": [_ground(ground, readable) for ground in row.waiving],
        "limits": [ascii_line(limit.name) for limit in row.limits],
    }


def _ground(ground: Ground, readable: set[str]) -> dict[str, object]:
    is_readable = ground.document in readable
    terms = (*ground.conditions, *ground.demands) if is_readable else _CLOSED
    return {
        "document": ascii_line(ground.document),
        "rule": ascii_line(ground.rule),
        "place": ascii_line(f"{ground.path}:{ground.line}") if is_readable else "",
        "description": ascii_line(ground.description) if is_readable else "",
        "terms": [ascii_line(term) for term in terms],
    }
