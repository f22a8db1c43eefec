"""The pages of decisions: what was answered, as it comes, and why."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.live import State, Streams, event_stream
from aegis_authz.control.pages.decisions import Doors, decision_page, decisions_list, decisions_page, filter_words
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.records.live import LiveRecords
from aegis_authz.control.records.reading import RecordDesk, is_visible
from aegis_authz.control.routes.approval_pages import still_reads
from aegis_authz.control.routes.records import (
    NO_DECISION,
    Before,
    DecisionId,
    answered,
    place_of,
    require_records,
    search_of,
)
from aegis_authz.core.person import WHOLE_MESH
from aegis_authz.evidence.search import MOST_WORD, IndexedRecord, RecordSearch
from aegis_authz.people.permissions import Permission, may, may_somewhere

Word = Annotated[str, Query(max_length=MOST_WORD)]
ROWS = 50
"""Decisions on a page."""


def decisions_of(
    tenant: Word = "", agent: Word = "", tool: Word = "", effect: Word = "", reason: Word = ""
) -> RecordSearch:
    """The search for decisions of the filter in an address. Raises HttpProblem."""
    return search_of("decision", tenant.strip(), agent.strip(), tool.strip(), effect, reason, "", 0.0, math.inf)


Search = Annotated[RecordSearch, Depends(decisions_of)]


def decision_page_routes(
    desk: RecordDesk, live: LiveRecords, streams: Streams, authentication: Authentication
) -> list[APIRouter]:
    """`/decisions`, and one of them."""
    people, reads = people_router(authentication), needs(Permission.READ_RECORDS, Reach.EACH)

    @people.get("/decisions", include_in_schema=False, dependencies=[reads])
    async def list_decisions_page(caller: Asker, request: Request, search: Search, before: Before = "") -> Response:
        """List decisions, newest first."""
        page = await answered(desk.search(caller, search, place_of(before), ROWS))
        return decisions_page(search, page, not before, frame_of(request))

    @people.get("/decisions/events", include_in_schema=False, dependencies=[reads])
    async def stream_decisions(caller: Asker, request: Request, search: Search) -> Response:
        """Send the list anew whenever a decision of it comes."""
        watch = _Watch(desk, live, caller, search)
        may_read = partial(still_reads, authentication, caller, request)
        return event_stream(streams, caller.id, "decisions", watch.look, may_read)

    @people.get("/decisions/{decision_id}", include_in_schema=False, dependencies=[reads])
    async def show_decision_page(decision_id: DecisionId, caller: Asker, request: Request) -> Response:
        """Say why a call was answered as it was."""
        trail = await answered(desk.decision(caller, decision_id))
        if trail is None:
            raise HttpProblem(404, NO_DECISION)
        return decision_page(trail, _doors(caller), frame_of(request))

    return [people]


class _Watch:
    """The newest decisions of one reader's filter, brought up to date with what comes."""

    def __init__(self, desk: RecordDesk, live: LiveRecords, reader: Caller, search: RecordSearch) -> None:
        self._desk = desk
        self._live = live
        self._reader = reader
        self._search = search
        self._records: list[IndexedRecord] | None = None
        self._number = 0
        self._missed = 0

    async def look(self) -> State:
        """The list as it is now. Raises HttpProblem."""
        if self._records is None:
            # what comes while the list is read is in both, and is taken once
            self._number = require_records(self._live)
            page = await answered(self._desk.search(self._reader, self._search, None, ROWS))
            self._records = [*page.records]
        news = self._live.since(self._number)
        self._number = news.number
        places = {record.place for record in self._records}
        new = [record for record in news.records if record.place not in places and self._is_sought(record)]
        if news.missed:
            self._missed += news.missed if self._reader.sees_all else 0
        if new:
            self._records = sorted((*self._records, *new), key=lambda record: -record.place.time)[:ROWS]
        records, missed = self._records, self._missed
        is_filtered = any(filter_words(self._search).values())
        return State(
            (missed, [record.place for record in records]), lambda: decisions_list(records, missed, is_filtered)
        )

    def _is_sought(self, record: IndexedRecord) -> bool:
        return self._search.accepts(record.stored.record) and is_visible(self._reader, record)


def _doors(caller: Caller) -> Doors:
    person = caller.person
    return Doors(
        approvals=may_somewhere(person, Permission.READ_APPROVALS),
        policies=may(person, Permission.READ_POLICIES, WHOLE_MESH),
        proof=may(person, Permission.VERIFY_RECORDS, WHOLE_MESH),
    )
