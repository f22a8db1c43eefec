"""A decision record turned back into the call it is of, as far as it tells, and held against another decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.cases import REASONS_OF_POLICY
from aegis_authz.lab.explanation import Explanation
from aegis_authz.lab.trial import decided_data
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.source.problems import printable

_POLICY = frozenset(reason.value for reason in REASONS_OF_POLICY)
_APPROVED = Reason.APPROVED.value
_EITHER = ("ping", "response")  # methods of MCP whose names a tool may have, too
_UNRECORDED = {
    "context.on_behalf_of": "whom the agent acted for",
    "context.token_age": "the age of the token (0 is taken)",
}


class NotJudged(Exception):
    """The record is of no call that policy could judge; the message says why and is fit to show."""


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """What a record says: the call as far as it tells, and what was answered.

    `redacted`: the call was let through redacted, so that the record holds none of its parameters.
    """

    id: str
    call: TriedCall
    effect: str
    reason: str
    would: str
    findings: tuple[str, ...]
    revision: str
    redacted: bool


def recorded_decision(members: Mapping[str, Json], environment: str, loaded: Loaded) -> RecordedDecision:
    """Read the members of a decision record. `environment` is the mesh's, which records do not hold.

    Raises NotJudged for a call that was refused before policy could be asked.
    """
    reason, tool, action = _text(members, "reason"), _text(members, "tool"), _text(members, "action")
    if not _text(members, "agent"):
        raise NotJudged(f"the call was refused with {reason} before it was known which agent makes it")
    if not tool and reason not in _POLICY:
        raise NotJudged(f"the call was refused with {reason} before it was known what it asks for")
    known = loaded.known.get(tool)
    if known is not None and known.tool.is_mcp and action in _EITHER:
        raise NotJudged(f"the record does not tell whether {action} was the method of MCP or a tool of that name")
    listed = [_text_of(one) for one in _list(members, "obligations")]
    return RecordedDecision(
        id=_text(members, "decision_id"),
        call=_call(members, environment),
        effect=_text(members, "effect"),
        reason=reason,
        would=_text(members, "would"),
        findings=tuple(_text_of(one) for one in _list(members, "findings")),
        revision=_text(members, "revision"),
        redacted=any(one.startswith(("redact:", "filter_tools")) for one in listed),
    )


def not_recorded(recorded: RecordedDecision, explanation: Explanation, loaded: Loaded) -> tuple[str, ...]:
    """In sentences, what the record does not hold of the call, and what of it the rules asked for in vain.

    `explanation` is of the call as it was judged now, with what was given beside the record.
    """
    call = explanation.call
    told = [*_parameters_left_out(recorded, loaded)]
    asked = {
        one.parameter: one for document in explanation.documents for rule in document.rules for one in rule.conditions
    }
    if told:
        lacking = sorted(name for name, one in asked.items() if not one.there and not name.startswith("context."))
        if lacking:
            told.append(f"the rules ask for {', '.join(map(printable, lacking))}: give the values with --param")
    unsaid = {"context.on_behalf_of": call.context.on_behalf_of, "context.token_age": call.context.token_age}
    told += [
        f"the record does not hold {words}: give it with --context"
        for name, words in _UNRECORDED.items()
        if name in asked and not unsaid[name]
    ]
    if "context.environment" in asked and call.context.environment == recorded.call.context.environment:
        told.append(f"the record does not hold the environment: {call.context.environment or 'none'} is taken")
    if call.host:
        told.append("the record does not hold port and scheme: https and its port are taken")
    return tuple(told)


def difference(recorded: RecordedDecision, explanation: Explanation) -> str | None:
    """How the answer now differs from the recorded one, in a sentence; "" when it does not.

    None when the recorded answer is not one of policy, so that there is nothing to compare.
    """
    if recorded.reason not in _POLICY and recorded.reason != _APPROVED:
        return None
    data = decided_data(explanation.decision)
    effect, reason = recorded.effect, recorded.reason
    if reason == _APPROVED:  # policy asked for the approval that was given
        effect, reason = "approval_needed", Reason.APPROVAL_NEEDED.value
    findings = sorted(str(one).replace(" ", ":") for one in _list(data, "findings"))
    before = (effect, reason, recorded.would, sorted(recorded.findings))
    now = (data["effect"], data["reason"], data["would"] or "", findings)
    if recorded.reason == _APPROVED:
        before, now = (*before[:3], []), (*now[:3], [])
    return "" if before == now else f"recorded was {_words(*before)}; now it is {_words(*now)}"


def _words(effect: Json, reason: Json, would: Json, findings: list[str]) -> str:
    told = f"{effect} {reason}"
    if would:
        told += f", shadow would {would}"
    return f"{told} ({', '.join(findings)})" if findings else told


def _parameters_left_out(recorded: RecordedDecision, loaded: Loaded) -> list[str]:
    if recorded.call.host:
        return []
    if recorded.redacted:
        return ["the record of a redacted call holds none of its parameters"]
    known = loaded.known.get(recorded.call.tool)
    if known is not None and known.tool.is_mcp:
        return ["the record holds no parameters: those of an MCP server are not recorded"]
    actions = known.tool.actions if known is not None else ()
    if any(one.parameters for one in actions if one.name == recorded.call.action):
        return []
    action = printable(recorded.call.action)
    return [
        f"the record holds no parameters: only declared ones are recorded, and the catalogue declares none of {action}"
    ]


def _call(members: Mapping[str, Json], environment: str) -> TriedCall:
    at = members.get("time")
    if isinstance(at, bool) or not isinstance(at, int | float):
        raise NotJudged("the record does not tell when the call was made")
    parameters, tool = members.get("parameters"), _text(members, "tool")
    try:
        return TriedCall.model_validate(
            {
                "agent": "/".join(_text(members, part) for part in ("org", "tenant", "agent")),
                "tool": tool,
                "action": _text(members, "action") if tool else "",
                "parameters": dict(parameters) if isinstance(parameters, Mapping) else {},
                "host": "" if tool else _text(members, "host"),
                "method": _text(members, "method"),
                "context": {
                    "time": datetime.fromtimestamp(at, UTC).isoformat(),
                    "environment": environment,
                    "source": _text(members, "source"),
                    "acted_by": _list(members, "actors"),
                },
            }
        )
    except (ValidationError, ValueError, OverflowError, OSError) as fault:
        raise NotJudged(f"the record holds no readable call: {str(fault).splitlines()[0]}") from None


def _text(members: Mapping[str, Json], name: str) -> str:
    return _text_of(members.get(name))


def _text_of(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _list(members: Mapping[str, Json], name: str) -> list[Json]:
    value = members.get(name)
    return list(value) if isinstance(value, list) else []
