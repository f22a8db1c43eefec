"""A held call as an Adaptive Card for a Workflows webhook of Microsoft Teams: it shows the call and links to the page.

Sources: learn.microsoft.com, "Create incoming webhooks with Workflows" (a message of attachments, at most 28 KB) and
the schema of Adaptive Cards 1.4. A webhook tells nobody's identity back, so a card decides nothing. A TextRun of a
RichTextBlock is shown as it is; a TextBlock would take the call for Markdown.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from aegis_authz.approvals.statement import is_statement_of, statement_text
from aegis_authz.core.alert import Alert
from aegis_authz.core.approval import Approval, ApprovalRequest
from aegis_authz.core.json_value import Json
from aegis_authz.notices.words import (
    NOT_SHOWN,
    alert_explanation,
    alert_headline,
    decision_url,
    explanation,
    headline,
    outcome,
    page_url,
)

MOST_BYTES = 26_000
"""Of a message; Teams takes 28 KB, and some of it is its own."""


def message(approval: Approval, public_url: str) -> dict[str, Json]:
    """What is posted to the webhook about the approval as it stands."""
    request = approval.request
    whole = _message(approval, public_url, _runs(request))
    if len(orjson.dumps(whole)) <= MOST_BYTES and is_statement_of(shown_text(whole), request):
        return whole
    return _message(approval, public_url, [_run(NOT_SHOWN, is_code=False)])


def alert_message(alert: Alert, public_url: str) -> dict[str, Json]:
    """What is posted to the webhook about refusals."""
    body = [_line(alert_headline(alert)), _line(alert_explanation(alert))]
    return _card(body, "Open the decision", decision_url(public_url, alert))


def shown_text(node: Json) -> str:
    """The call as the card shows it: the texts in the typeface of code, a line each."""
    return "\n".join(_code(node))


def _code(node: Json) -> Iterator[str]:
    if isinstance(node, list):
        for entry in node:
            yield from _code(entry)
    elif isinstance(node, dict):
        if node.get("type") == "TextRun" and node.get("fontType") == "Monospace":
            yield str(node["text"])
        else:
            for entry in node.values():
                yield from _code(entry)


def _message(approval: Approval, public_url: str, runs: list[Json]) -> dict[str, Json]:
    request = approval.request
    body: list[Json] = [
        _line(headline(request)),
        _line(explanation(request)),
        *({"type": "RichTextBlock", "spacing": "None", "inlines": [run]} for run in runs),
        _line(outcome(approval)),
    ]
    return _card(body, "Decide on the page", page_url(public_url, request))


def _card(body: list[Json], title: str, url: str) -> dict[str, Json]:
    card: Json = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": title, "url": url}],
    }
    attachment: Json = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _runs(request: ApprovalRequest) -> list[Json]:
    return [_run(line, is_code=True) for line in statement_text(request).split("\n")]


def _line(text: str) -> Json:
    return {"type": "RichTextBlock", "inlines": [_run(text, is_code=False)]}


def _run(text: str, *, is_code: bool) -> Json:
    return {"type": "TextRun", "text": text, **({"fontType": "Monospace"} if is_code else {})}
