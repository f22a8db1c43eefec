"""A held call as a message of Slack's Block Kit, and what Slack sends back when somebody presses a button.

Sources: docs.slack.dev, "Block Kit" (rich_text, section, input, actions, confirmation dialog), "Verifying requests from
Slack" (v0 signatures), "Handling user interaction" (block_actions). Text in preformatted rich text is shown as it is:
neither marked up nor searched for names of emoji.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl

from aegis_authz.approvals.statement import is_statement_of, statement_digest, statement_text
from aegis_authz.core.alert import Alert
from aegis_authz.core.approval import Approval, ApprovalProof, ApprovalRequest, ApprovalState
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.encoding import strict_json
from aegis_authz.notices.words import (
    NOT_SHOWN,
    SIGNED_IN,
    TYPED,
    alert_explanation,
    alert_headline,
    decision_url,
    explanation,
    headline,
    outcome,
    page_url,
)

WINDOW = 300
"""Seconds that the time of a signature may differ from ours."""
APPROVE, DENY = "aegis_approve", "aegis_deny"
_REASON, _REASON_BLOCK = "aegis_reason", "aegis_reason_block"
_MOST_TEXT = 3000  # characters of one text
_MOST_BLOCKS = 12  # of preformatted text; a message takes 50 blocks of all kinds


class NotFromSlack(Exception):
    """A request that Slack did not send, or sent too long ago; the text says which."""


@dataclass(frozen=True, slots=True)
class Press:
    """A button that somebody pressed: which, on which call as it was shown, and what was typed as the reason."""

    user: str
    approves: bool
    approval_id: ApprovalId
    statement: str
    reason: str
    response_url: str


def message(approval: Approval, public_url: str) -> dict[str, Json]:
    """`text` and `blocks` of a message about the approval as it stands."""
    request = approval.request
    is_open = approval.state is ApprovalState.PENDING
    blocks: list[Json] = [_section(headline(request)), _context(explanation(request))]
    call_blocks = _statement_blocks(request)
    blocks += call_blocks if call_blocks else [_section(NOT_SHOWN)]
    if not is_open or approval.approved_by:
        blocks.append(_section(outcome(approval)))
    if is_open:
        needs_page = request.proof is ApprovalProof.SIGNED_IN
        if request.confirm or needs_page:
            blocks.append(_section(TYPED if request.confirm else SIGNED_IN))
        has_buttons = bool(call_blocks) and not request.confirm and not needs_page
        blocks += _decision_blocks(request, public_url, has_buttons)
    return {"text": f"{headline(request)}: {outcome(approval)}", "blocks": blocks}


def alert_message(alert: Alert, public_url: str) -> dict[str, Json]:
    """`text` and `blocks` of a message about refusals."""
    link: Json = {
        "type": "button",
        "action_id": "aegis_page",
        "text": _plain("Open the decision"),
        "url": decision_url(public_url, alert),
    }
    blocks: list[Json] = [
        _section(alert_headline(alert)),
        _context(alert_explanation(alert)),
        {"type": "actions", "elements": [link]},
    ]
    return {"text": alert_headline(alert), "blocks": blocks}


def shown_text(blocks: Json) -> str:
    """The call as the message shows it: the texts of its preformatted blocks, one after the other."""
    return "".join(_preformatted(blocks))


def _preformatted(node: Json) -> Iterator[str]:
    if isinstance(node, list):
        for entry in node:
            yield from _preformatted(entry)
    elif isinstance(node, dict):
        if node.get("type") == "rich_text_preformatted":
            elements = node["elements"]
            for element in elements if isinstance(elements, list) else []:
                if isinstance(element, dict) and isinstance(element["text"], str):
                    yield element["text"]
        else:
            yield from _preformatted(node.get("elements"))


def _statement_blocks(request: ApprovalRequest) -> list[Json]:
    """All of the call, or nothing where it does not fit."""
    text = statement_text(request)
    pieces = [text[start : start + _MOST_TEXT] for start in range(0, len(text), _MOST_TEXT)]
    blocks: list[Json] = [
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": piece}]}],
        }
        for piece in pieces
    ]
    fits = len(pieces) <= _MOST_BLOCKS and is_statement_of(shown_text(blocks), request)
    return blocks if fits else []


def _decision_blocks(request: ApprovalRequest, public_url: str, has_buttons: bool) -> list[Json]:
    link: Json = {
        "type": "button",
        "action_id": "aegis_page",
        "text": _plain("Open the page"),
        "url": page_url(public_url, request),
    }
    if not has_buttons:
        return [{"type": "actions", "elements": [link]}]
    reason: Json = {
        "type": "input",
        "block_id": _REASON_BLOCK,
        "optional": True,
        "label": _plain("Reason (a denial needs one)"),
        "element": {"type": "plain_text_input", "action_id": _REASON, "max_length": MOST_NOTE},
    }
    value = f"{request.id} {statement_digest(request)}"
    approve = _button(APPROVE, "Approve", "primary", value, "It runs once, exactly as it is shown here.")
    deny = _button(DENY, "Deny", "danger", value, "It does not run. The reason is kept in the records.")
    return [reason, {"type": "actions", "elements": [approve, deny, link]}]


def _button(action: str, label: str, style: str, value: str, question: str) -> Json:
    return {
        "type": "button",
        "action_id": action,
        "text": _plain(label),
        "style": style,
        "value": value,
        "confirm": {
            "title": _plain(f"{label} this call?"),
            "text": _plain(question),
            "confirm": _plain(label),
            "deny": _plain("Go back"),
            "style": style,
        },
    }


def _section(text: str) -> Json:
    return {"type": "section", "text": _plain(text)}


def _context(text: str) -> Json:
    return {"type": "context", "elements": [_plain(text)]}


def _plain(text: str) -> dict[str, Json]:
    return {"type": "plain_text", "text": text[:_MOST_TEXT], "emoji": False}


def require_signature(secret: bytes, timestamp: str, signature: str, body: bytes, now: Epoch) -> None:
    """Refuse what is not signed with the secret, over the raw body, within five minutes. Raises NotFromSlack."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise NotFromSlack("the time of the signature is no number of seconds")
    if abs(now - int(timestamp)) > WINDOW:
        raise NotFromSlack("the signature is older than five minutes, or from the future")
    expected = "v0=" + hmac.new(secret, b"v0:%s:%s" % (timestamp.encode(), body), sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise NotFromSlack("the signature does not verify")


def press_of(body: bytes) -> Press | None:
    """The press of one of our buttons in a request of Slack, None for everything else it tells. Raises NotFromSlack."""
    return press_in(_payload(body))


def press_in(payload: Mapping[str, Json]) -> Press | None:
    """The same, of the payload that a request or an envelope of Socket Mode holds. Raises NotFromSlack."""
    if payload.get("type") != "block_actions":
        return None
    actions = payload.get("actions")
    action = actions[0] if isinstance(actions, list) and len(actions) == 1 else None
    if not isinstance(action, dict) or action.get("action_id") not in (APPROVE, DENY):
        return None
    approval_id, _, digest = _text(action.get("value")).partition(" ")
    return Press(
        user=_text(_member(payload, "user", "id")),
        approves=action["action_id"] == APPROVE,
        approval_id=ApprovalId(approval_id),
        statement=digest,
        reason=_reason(payload),
        response_url=_text(payload.get("response_url")),
    )


def _reason(payload: Json) -> str:
    typed = _member(payload, "state", "values", _REASON_BLOCK, _REASON, "value")
    return typed.strip() if isinstance(typed, str) else ""


def _payload(body: bytes) -> dict[str, Json]:
    try:
        fields = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=4)
        (text,) = [value for name, value in fields if name == "payload"]
        return strict_json.parse_object(text.encode())
    except (ValueError, Refused):
        raise NotFromSlack("the body is not one payload") from None


def _member(node: Json, *path: str) -> Json:
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _text(value: Json) -> str:
    if not isinstance(value, str) or not value:
        raise NotFromSlack("the payload has not the members that Slack sends")
    return value
