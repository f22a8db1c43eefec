"""The routes by which programs read records, and prove them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Mapping
from typing import Annotated, TypeVar, cast

from fastapi import APIRouter, Path, Query
from pydantic import JsonValue

from aegis_authz.api.records import (
    ChainPositionAnswer,
    DecisionTrailAnswer,
    LogAnswer,
    RecordAnswer,
    RecordPageAnswer,
    StepAnswer,
    TimelineAnswer,
    VerificationAnswer,
)
from aegis_authz.control.gate import Asker, Authentication, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.policies.turns import TurnMissed
from aegis_authz.control.records.live import LiveRecords
from aegis_authz.control.records.reading import RecordDesk
from aegis_authz.control.records.verifying import Verification, Verifier
from aegis_authz.core.reason import REASONS
from aegis_authz.evidence.document import record_to_json
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.evidence.search import MOST_WORD, RecordPlace, RecordSearch, RecordsUnavailable, SearchTooLong
from aegis_authz.people.permissions import Permission

Word = Annotated[str, Query(max_length=MOST_WORD)]
Moment = Annotated[float, Query(ge=0, allow_inf_nan=False, description="Seconds since the epoch.")]
End = Annotated[float, Query(ge=0, allow_inf_nan=False, description="Only from before then; 0 for no end.")]
Before = Annotated[str, Query(max_length=400, description="`older` of the page before, empty for the newest.")]
Limit = Annotated[int, Query(ge=1, le=500, description="The most records of a page.")]
DecisionId = Annotated[str, Path(min_length=1, max_length=64, description="As in x-aegis-decision-id.")]
ApprovalName = Annotated[str, Path(pattern="^apr_[0-9a-f]{34}$")]

_Answer = TypeVar("_Answer")


def record_routes(desk: RecordDesk, verifier: Verifier, authentication: Authentication) -> list[APIRouter]:
    """`/v1/records`, `/v1/decisions/ID`, and the trail of an approval."""
    return [_list_routes(desk, authentication), _proof_routes(verifier, authentication), _trails(desk, authentication)]


def _list_routes(desk: RecordDesk, authentication: Authentication) -> APIRouter:
    people = people_router(authentication)

    @people.get("/v1/records", dependencies=[needs(Permission.READ_RECORDS, Reach.EACH)])
    async def list_records(
        caller: Asker,
        kind: Word = "",
        tenant: Word = "",
        agent: Word = "",
        tool: Word = "",
        effect: Word = "",
        reason: Word = "",
        approval: Word = "",
        since: Moment = 0,
        until: End = 0,
        before: Before = "",
        limit: Limit = 100,
    ) -> RecordPageAnswer:
        """Find decisions and steps of approvals of the tenants that the caller may see, newest first."""
        search = search_of(kind, tenant, agent, tool, effect, reason, approval, since, until or math.inf)
        page = await answered(desk.search(caller, search, place_of(before), limit))
        records = tuple(_record(record.stored) for record in page.records)
        return RecordPageAnswer(records=records, older="" if page.older is None else str(page.older))

    return people


def _proof_routes(verifier: Verifier, authentication: Authentication) -> APIRouter:
    people, verifies = people_router(authentication), needs(Permission.VERIFY_RECORDS)

    @people.get("/v1/records/verification", dependencies=[verifies])
    async def get_verification() -> VerificationAnswer:
        """Tell how the proof of all records stands, or how the last one ended."""
        return _verification(verifier.last)

    @people.post("/v1/records/verification", dependencies=[verifies], status_code=202)
    async def verify_records(caller: Asker) -> VerificationAnswer:
        """Begin to prove that no record was altered, removed, moved or added, unless that goes on already."""
        return _verification(verifier.start(caller.id))

    return people


def _trails(desk: RecordDesk, authentication: Authentication) -> APIRouter:
    people, reads = people_router(authentication), needs(Permission.READ_RECORDS, Reach.EACH)

    @people.get("/v1/decisions/{decision_id}", dependencies=[reads])
    async def get_decision(decision_id: DecisionId, caller: Asker) -> DecisionTrailAnswer:
        """Show all that is recorded of a decision, and whether its record verifies."""
        trail = await answered(desk.decision(caller, decision_id))
        if trail is None:
            raise HttpProblem(404, NO_DECISION)
        position = trail.position
        return DecisionTrailAnswer(
            records=tuple(_record(record.stored) for record in trail.records),
            reason=trail.decision.reason.value,
            sentence=REASONS[trail.decision.reason].text,
            position=ChainPositionAnswer(
                writer=position.writer,
                seq=position.seq,
                hash=position.hash,
                sealed=position.sealed,
                standing=position.standing.value,
                words=position.words,
            ),
        )

    @people.get("/v1/approvals/{approval_id}/timeline", dependencies=[reads])
    async def get_timeline(approval_id: ApprovalName, caller: Asker) -> TimelineAnswer:
        """Tell the trail of an approval: who asked, who decided, what used it, what became of that."""
        steps = await answered(desk.approval(caller, approval_id))
        if not steps:
            raise HttpProblem(404, NO_APPROVAL)
        answers = (
            StepAnswer(
                at=step.at, after=step.after, sentence=step.sentence, **_record(step.stored).model_dump(mode="python")
            )
            for step in steps
        )
        return TimelineAnswer(approval_id=approval_id, steps=tuple(answers))

    return people


NO_DECISION = "there is no record of such a decision here"
NO_APPROVAL = "there is no record of such an approval here"


async def answered(work: Awaitable[_Answer]) -> _Answer:
    """What the desk answers; what it does not is an HttpProblem."""
    try:
        return await work
    except TurnMissed:
        raise HttpProblem(429, "others search the records; try again in a moment", retry_after=2.0) from None
    except SearchTooLong as fault:
        raise HttpProblem(422, str(fault)) from None
    except RecordsUnavailable as fault:
        raise HttpProblem(503, str(fault), retry_after=2.0) from None


def require_records(live: LiveRecords) -> int:
    """How many records came until now. Raises HttpProblem where they were not looked at yet."""
    try:
        return live.number
    except RecordsUnavailable as fault:
        raise HttpProblem(503, str(fault), retry_after=2.0) from None


def search_of(
    kind: str,
    tenant: str,
    agent: str,
    tool: str,
    effect: str,
    reason: str,
    approval: str,
    since: float,
    until: float,
) -> RecordSearch:
    """The search for these words, "" for any. Raises HttpProblem for a word that can be none."""
    try:
        return RecordSearch(kind, tenant, agent, tool, effect, reason.upper(), approval, since, until)
    except ValueError as fault:
        raise HttpProblem(400, str(fault)) from None


def place_of(text: str) -> RecordPlace | None:
    """Where a page begins, None for the newest. Raises HttpProblem."""
    try:
        return RecordPlace.parse(text) if text else None
    except ValueError as fault:
        raise HttpProblem(400, f"before: {fault}") from None


def _record(stored: StoredRecord) -> RecordAnswer:
    members = {} if stored.record is None else record_to_json(stored.record)
    return RecordAnswer(file=stored.file, line=stored.number, record=_plain(members))


def _plain(members: Mapping[str, object]) -> dict[str, JsonValue]:
    return cast(dict[str, JsonValue], _copied(members))


def _copied(value: object) -> object:
    # records hold frozen mappings and tuples, of which JSON knows objects and lists
    if isinstance(value, Mapping):
        return {str(_copied(str(name))): _copied(member) for name, member in value.items()}
    if isinstance(value, str):  # half of a surrogate pair, which a record may hold, is no UTF-8
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return [_copied(member) for member in value] if isinstance(value, list | tuple) else value


def _verification(verification: Verification | None) -> VerificationAnswer:
    if verification is None:
        return VerificationAnswer(state="none")
    state = "running" if verification.is_running else "failed" if verification.fault else "damaged"
    return VerificationAnswer(
        state="intact" if verification.is_intact else state,
        by=verification.by,
        begun=verification.begun,
        ended=verification.ended,
        fault=verification.fault,
        logs=tuple(map(_log, verification.reports)),
    )


def _log(report: LogReport) -> LogAnswer:
    return LogAnswer(
        writer=report.writer,
        records=report.records,
        sealed=report.sealed,
        is_intact=report.is_intact,
        is_foreign=report.is_foreign,
        head=report.head,
        key_ids=report.key_ids,
        damages=tuple(damage.sentence() for damage in report.damages),
        damage_count=report.damage_count,
        notes=report.notes,
    )
