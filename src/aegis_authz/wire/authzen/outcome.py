"""What a caller says became of a function that it was let call. AuthZEN has no word for it: it is this mesh's own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.fault import Fault
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.content_type import is_json, media_type

_MEMBERS = {"ticket", "outcome", "result"}


class Outcome(Enum):
    """What became of a call."""

    DONE = "done"
    FAILED = "failed"  # the function was called and raised an error
    NOT_CALLED = "not_called"


@dataclass(frozen=True, slots=True)
class Report:
    """An outcome with the ticket of its decision. `has_result` says that a result is to be redacted, also null."""

    ticket: str
    outcome: Outcome
    has_result: bool
    result: Json


def read_report(http: HttpCall) -> Report:
    """Read it. Raises Refused with MALFORMED_CALL or DUPLICATE_KEY."""
    if http.header("content-type") is None or not is_json(media_type(http)) or http.query:
        problem = "An outcome is sent as application/json, to an address without a query."
        raise Refused(Reason.MALFORMED_CALL, "not an outcome in JSON", Fault("headers", "content-type", problem))
    body = strict_json.parse(http.body)
    if not isinstance(body, dict) or not body.keys() <= _MEMBERS:
        raise _malformed("", "An outcome is an object of ticket, outcome and, where one is redacted, result.")
    ticket, word = body.get("ticket"), body.get("outcome")
    if not isinstance(ticket, str):
        raise _malformed("/ticket", "ticket must be the text that came with the decision.")
    if not isinstance(word, str) or word not in {outcome.value for outcome in Outcome}:
        raise _malformed("/outcome", "outcome must be done, failed or not_called.")
    return Report(ticket, Outcome(word), "result" in body, body.get("result"))


def _malformed(at: str, problem: str) -> Refused:
    return Refused(Reason.MALFORMED_CALL, "not an outcome", Fault("body", at, problem))
