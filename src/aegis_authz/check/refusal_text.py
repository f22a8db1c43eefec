"""A refusal in words an agent can act on: what, why, the limit where policy tells it, and the next step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from aegis_authz.core.approval_use import use_text
from aegis_authz.core.call import ToolCall
from aegis_authz.core.decision import Decision, Finding
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import REASONS, Reason, Retry
from aegis_authz.core.settlement import Settled, SettleOutcome

NEXT_STEP: Final = {
    Retry.NEVER: "Do not retry this call as it is.",
    Retry.NEW_TOKEN: "Retry with a fresh token.",
    Retry.LATER: "Retry after 1 second with a fresh token.",
    Retry.UNNEEDED: "",
}
"""What to do after a refusal, but for one that waits for an approval: that sentence names it."""
_STALE = (
    "The approval that was asked for before is stale: a policy of this agent, or the tool, was changed since, "
    "or asks for another approval at this hour, so that the call must be approved anew."
)
_CONTEXT = "context."
_LIMIT = "{limit}"


def shown_findings(decision: Decision) -> tuple[Finding, ...]:
    """The findings a caller may see: not which rule denied, for its name is a part of the policy's text."""
    return tuple(finding for finding in decision.findings if finding.condition != "denied")


def sentence(
    decision: Decision,
    call: ToolCall | None,
    settled: Settled | None,
    phrases: Mapping[str, str],
    limits: Sequence[str],
    wait: int | None,
) -> str:
    """A few plain sentences for a person or a model.

    `call` is None when the request was refused before it was known what it is, `settled` when it was before the store
    was asked. `phrases` are those of the snapshot that the call was judged under; `limits` say of each limit that is
    exceeded how it stands, and `wait` is how many seconds to wait, None where that is not known.
    """
    spec = REASONS[decision.reason]
    parts = [_opening(decision, call), spec.text]
    if decision.fault is not None:
        parts.append(decision.fault.problem)
    parts += [_finding(finding, phrases) for finding in shown_findings(decision)]
    parts += limits
    if decision.reason is Reason.APPROVAL_USED and settled is not None and settled.former_use is not None:
        parts.append(f"The call that used it was {use_text(settled.former_use)}.")
    if spec.retry is Retry.AFTER_APPROVAL and settled is not None:
        if settled.outcome is SettleOutcome.REOPENED:
            parts.append(_STALE)
        parts.append(
            f"Approval {settled.approval_id} is pending. Once it is granted, repeat exactly this call with a fresh "
            "token: it goes through once. The override token in the x-aegis-approval header does the same."
        )
    elif wait is not None:
        parts.append(f"Retry after {wait} second{'' if wait == 1 else 's'} with a fresh token.")
    else:
        parts.append(NEXT_STEP.get(Retry.NEVER if limits else spec.retry, ""))
    return " ".join(part for part in parts if part)


def _opening(decision: Decision, call: ToolCall | None) -> str:
    verb = "is held" if decision.reason is Reason.APPROVAL_NEEDED else "was refused"
    if call is None or not call.tool:
        return ""
    return f"{call.action} on {call.tool} {verb}:"


def _finding(finding: Finding, phrases: Mapping[str, str]) -> str:
    name = finding.parameter.removeprefix(_CONTEXT)
    subject = f"The call's {name}" if finding.parameter.startswith(_CONTEXT) else f"The parameter {finding.parameter}"
    if finding.condition == "missing":
        return f"{subject} is required."
    if finding.condition == "type":
        if not isinstance(finding.limit, str) or not isinstance(finding.value, str):
            return f"{subject} is of another type than policy judges."
        return f"{subject} must be of type {_short(finding.limit, {})}, and is of type {_short(finding.value, {})}."
    if finding.limit is None or finding.condition not in phrases:
        return f"{subject} does not meet the condition '{finding.condition}'."
    value_words = "" if finding.value is None else f" {finding.parameter} is {_short(_readable(finding), {})};"
    allowed = phrases[finding.condition].replace(_LIMIT, _short(finding.limit, phrases))
    return f"Seen:{value_words} allowed is {allowed}."


def _readable(finding: Finding) -> Json:
    if finding.parameter == "context.time" and isinstance(finding.value, int):
        return datetime.fromtimestamp(finding.value // 1_000_000_000, UTC).isoformat()
    return finding.value


def _short(value: Json, phrases: Mapping[str, str]) -> str:
    """A value in a few words; a limit that holds conditions of its own in theirs."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, dict) and value.keys() == {"parameter"}:
        text = f"the parameter {value['parameter']}"
    elif isinstance(value, dict) and value and value.keys() <= phrases.keys():
        text = " and ".join(phrases[word].replace(_LIMIT, _short(bound, phrases)) for word, bound in value.items())
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        text = ", ".join(str(item) for item in value)
    else:
        text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
