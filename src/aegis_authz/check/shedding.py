"""Load shedding: refusals that come by the thousand, each for a fraction of what a decision costs.

What refusing costs is not there for the calls that could be answered. So a refusal that is counted is answered by a
message that was made once: all refusals of a reason are the same but for their id. Whatever else is needed to answer
one, such as the id of a JSON-RPC request, makes that one dearer and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from aegis_authz.check.decode import decode
from aegis_authz.check.draft import Draft
from aegis_authz.check.fulfil import NOTHING_TO_FULFIL
from aegis_authz.check.record import Recorder
from aegis_authz.check.respond import respond
from aegis_authz.core.decision import denied
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import NO_REVISION, DecisionId, Epoch, Monotonic
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal
from aegis_authz.ports.data_plane import Clock, Ids, Snapshots
from aegis_authz.wire.envoy.ext_authz import write_check_response
from aegis_authz.wire.envoy.glimpse import glimpse
from aegis_authz.wire.http.call import HttpCall

_NO_STAGES: Final[Mapping[str, float]] = MappingProxyType({})
_MARK: Final = "~"  # in no sentence of ours, and the same in JSON


def shed(
    reason: Reason, message: bytes, recorder: Recorder, snapshots: Snapshots, clock: Clock, ids: Ids
) -> bytes | None:
    """The CheckResponse to a call that is refused for `reason` and counted; None for one that is to have a record.

    It is what `Pipeline.refuse` answers, for every request: one that cannot be read, and one before there is a policy.
    """
    started, now, request = clock.monotonic(), clock.now(), glimpse(message)
    if not recorder.tally.is_full(reason, request.source, now):
        return None
    decision_id = ids.decision_id()
    spent = (clock.monotonic() - started) * 1000
    recorder.count(UnrecordedRefusal(decision_id, now, Effect.DENY, reason, request.source, None, _NO_STAGES, spent))
    if _may_be_mcp(request.path, snapshots):
        draft = Draft(decision_id, "", "", now, started, [])
        read_unjudged(message, draft, snapshots)
        return _answer(reason, draft)
    return decision_id.encode("ascii").join(_around_id(reason, len(decision_id)))


def read_unjudged(request: bytes | HttpCall, draft: Draft, snapshots: Snapshots) -> str:
    """Note what can be read of a request that is refused whatever it says; returns what is wrong with it."""
    try:
        draft.read(decode(request))
        draft.snapshot = snapshots.current()  # says which paths want an answer in JSON-RPC
    except Refused as refusal:
        draft.source = request.source if isinstance(request, HttpCall) else glimpse(request).source
        return refusal.detail
    return ""


def _may_be_mcp(path: str, snapshots: Snapshots) -> bool:
    """Whether an answer may have to be in JSON-RPC: at one of these paths, whoever's it is, all of it is read."""
    try:
        return path in snapshots.current().catalogue.mcp_paths
    except Refused:  # without a policy no path is one of MCP
        return False


@lru_cache(32)
def _around_id(reason: Reason, length: int) -> tuple[bytes, ...]:
    """The answer by problem document, in pieces: between them stands the decision's id of so many characters."""
    mark = _MARK * length
    draft = Draft(DecisionId(mark), "", "", Epoch(0.0), Monotonic(0.0), [])
    return tuple(_answer(reason, draft).split(mark.encode("ascii")))


def _answer(reason: Reason, draft: Draft) -> bytes:
    return write_check_response(respond(denied(reason, "", NO_REVISION), NOTHING_TO_FULFIL, draft))
