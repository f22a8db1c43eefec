"""Questions to OPA and its answers: core values and plain JSON, read strictly.

An answer is believed only when every member is there, of its type, and known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import orjson

from aegis_authz.core.approval_terms import read_terms
from aegis_authz.core.call import CallKind, ToolCall
from aegis_authz.core.circumstances import CIRCUMSTANCES
from aegis_authz.core.decision import ApprovalTerms, Decision, Evaluation, Finding, changes_bodies
from aegis_authz.core.effect import Effect
from aegis_authz.core.grant import Grant, Narrowing, Scalar
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch, LimitId, Revision
from aegis_authz.encoding import pointer
from aegis_authz.encoding.folding import is_usual
from aegis_authz.wire.opa.obligations import obligations_from_data

_MEMBERS = {"effect", "reason", "detail", "policies", "obligations", "findings", "approval", "would", "limits"}
_BRIEF = 3
"""Members of an allow in brief."""
_EFFECTS = {effect.value: effect for effect in Effect}
_REASONS = {reason.value: reason for reason in Reason}
_PORTS = {"http": 80, "https": 443}


def question_to_data(question: Evaluation) -> dict[str, Json]:
    """One call as OPA's input: subject, action, resource and context of OpenID AuthZEN 1.0, section 5.

    Under a grant the whole of it stands as `call` beside `grant`, so that no library of before grants judges it.
    What no rule reads is left out: OPA spends as long on taking in a call as on judging it. The time is in whole
    nanoseconds and never has a fraction: OPA hashes a number by its integer part, and the calls of a batch would
    collide in each of its caches.
    """
    scope, call = question.identity.scope, question.call
    resource: dict[str, Json] = {"type": call.kind.value, "id": call.tool}
    if call.kind is CallKind.UNCLAIMED:
        resource["properties"] = _place(call)
    grant = question.identity.grant
    # what a grant pins is not known to the policies
    parameters = call.parameters if grant is not None else parameters_under(call.parameters, question.roots)
    action: dict[str, Json] = {"name": call.action, "properties": parameters}
    if call.spellings:
        action["spellings"] = dict(call.spellings)
    data: dict[str, Json] = {
        "subject": {
            "type": "agent",
            "id": str(scope),
            "properties": {"org": scope.org, "tenant": scope.tenant, "agent": scope.agent},
        },
        "action": action,
        "resource": resource,
    }
    if question.reads:
        data["context"] = _context(question)
    return data if grant is None else {"call": data, "grant": _grant_to_data(grant, question.time)}


def parameters_under(parameters: Mapping[str, Json], roots: frozenset[str] | None) -> Mapping[str, Json]:
    """Those parameters in which a rule may look at anything; an unusual name may be another spelling of any."""
    if roots is None:
        return parameters
    return {name: value for name, value in parameters.items() if name.lower() in roots or not is_usual(name)}


def _grant_to_data(grant: Grant, time: Epoch) -> Json:
    """The narrowings as rego/grants.rego wants them. Raises ValueError where what they allow is not known."""
    return {"time": int(time), "narrowings": [_narrowing_to_data(narrowing) for narrowing in grant.chain]}


def _narrowing_to_data(narrowing: Narrowing) -> Json:
    if narrowing.tools is None:
        raise ValueError("what the grant allows is not known")
    return {
        "exp": int(narrowing.expires_at),
        "tools": {
            tool: {action: [*map(_limit, values.items())] for action, values in actions.items()}
            for tool, actions in narrowing.tools.items()
        },
    }


def _limit(pinned: tuple[str, tuple[Scalar, ...]]) -> Json:
    parameter, values = pinned
    path = pointer.split(parameter) if parameter.startswith("/") else (parameter,)
    return {"parameter": parameter, "path": [*path], "values": [*values]}


def _place(call: ToolCall) -> Json:
    port = call.port if call.port is not None else _PORTS.get(call.scheme)
    return {"host": call.host, "port": port, "scheme": call.scheme, "method": call.method}


def _context(question: Evaluation) -> dict[str, Json]:
    pairs = (
        (word, circumstance.of(question)) for word, circumstance in CIRCUMSTANCES.items() if word in question.reads
    )
    return {word: value for word, value in pairs if value is not None}


def query_of(questions: Sequence[bytes]) -> bytes:
    """The body of the query that asks so many questions, each in JSON: plain allows are to come in brief.

    A library of before that was made knows no `brief`, and tells them in full.
    """
    return b'{"input":{"brief":true,"calls":[%b]}}' % b",".join(questions)


def decisions_from_data(result: Json, count: int) -> list[Decision | Refused]:
    """Read the answer to `count` calls.

    Returns a decision for each, or the Refused with which that one call alone is to be refused.
    Raises Refused(DECISION_UNDEFINED) when there is no answer, Refused(DECISION_MALFORMED) when it is not
    one answer a call.
    """
    if result is None:
        raise Refused(Reason.DECISION_UNDEFINED, "OPA has no such document")
    if not isinstance(result, dict) or result.keys() != {"revision", "decisions"}:
        raise Refused(Reason.DECISION_MALFORMED, "not {revision, decisions}")
    revision, decisions = result["revision"], result["decisions"]
    if not isinstance(revision, str) or not revision or not isinstance(decisions, list):
        raise Refused(Reason.DECISION_MALFORMED, "no revision or no list of decisions")
    if len(decisions) != count:
        raise Refused(Reason.DECISION_MALFORMED, f"{len(decisions)} decisions for {count} calls")
    served = Revision(revision)
    return [_read(decision, served) for decision in decisions]


def _read(data: Json, revision: Revision) -> Decision | Refused:
    try:
        return _decision(orjson.dumps(data), revision)
    except Refused as refusal:
        return refusal


@lru_cache(maxsize=256)
def _decision(text: bytes, revision: Revision) -> Decision:
    """Most decisions are those of an earlier call to the letter: to know them again takes a tenth of reading them."""
    data: Json = orjson.loads(text)
    if isinstance(data, list):
        return _in_brief(data, revision)
    # the library of a bundle that was made before there were limits does not name any
    if not isinstance(data, dict) or data.keys() | {"limits"} != _MEMBERS:
        raise _malformed("a decision has not exactly the known members")
    effect, reason, would = data["effect"], data["reason"], data["would"]
    if not isinstance(effect, str) or effect not in _EFFECTS or not isinstance(reason, str) or reason not in _REASONS:
        raise _malformed("an unknown effect or reason")
    if would is not None and (not isinstance(would, str) or would not in _EFFECTS):
        raise _malformed("an unknown effect in would")
    allowed_by = REASONS[_REASONS[reason]].effect
    if allowed_by is not _EFFECTS[effect] or _REASONS[reason] is Reason.APPROVED:
        raise _malformed("the reason does not explain the effect")
    obligations = obligations_from_data(data["obligations"])
    bodily = [obligation for obligation in obligations if changes_bodies(obligation)]
    if _EFFECTS[effect] is Effect.SANITIZE and not bodily:
        raise _malformed("sanitize without a body to change")
    if _EFFECTS[effect] is Effect.ALLOW and bodily:
        raise _malformed("allow with a body to change")
    return Decision(
        effect=_EFFECTS[effect],
        reason=_REASONS[reason],
        detail=_text(data["detail"]),
        policies=tuple(_text(item) for item in _list(data["policies"])),
        revision=revision,
        obligations=obligations,
        findings=tuple(_finding(item) for item in _list(data["findings"])),
        approval=_terms(data["approval"], _EFFECTS[effect]),
        would=_EFFECTS[would] if isinstance(would, str) else None,
        fault=None,
        limits=_limits(data.get("limits", [])),
    )


def _in_brief(data: Sequence[Json], revision: Revision) -> Decision:
    """An allow that obliges to nothing: the word for it, the policies that allow and the limits that are met."""
    if len(data) != _BRIEF or data[0] != Reason.ALLOWED.value:
        raise _malformed("a list that is no allow in brief")
    return Decision(
        effect=Effect.ALLOW,
        reason=Reason.ALLOWED,
        detail="",
        policies=tuple(_text(item) for item in _list(data[1])),
        revision=revision,
        obligations=(),
        findings=(),
        approval=None,
        would=None,
        fault=None,
        limits=_limits(data[2]),
    )


def _terms(data: Json, effect: Effect) -> ApprovalTerms | None:
    if effect is not Effect.APPROVAL_NEEDED:
        if data is not None:
            raise _malformed("approval terms nobody needs")
        return None
    try:
        return read_terms(data)
    except ValueError as fault:
        raise _malformed(str(fault)) from None


def _finding(data: Json) -> Finding:
    if not isinstance(data, dict) or data.keys() != {"parameter", "condition", "limit", "seen"}:
        raise _malformed("a finding has not exactly the known members")
    return Finding(_text(data["parameter"]), _text(data["condition"]), data["limit"], data["seen"])


def _limits(data: Json) -> tuple[LimitId, ...]:
    names = tuple(LimitId(_text(name)) for name in _list(data))
    if len(set(names)) != len(names):
        raise _malformed("a limit that is met twice")
    return names


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise _malformed("something else where a text should be")
    return value


def _list(value: Json) -> Sequence[Json]:
    if not isinstance(value, list):
        raise _malformed("something else where a list should be")
    return value


def _malformed(detail: str) -> Refused:
    return Refused(Reason.DECISION_MALFORMED, detail)
