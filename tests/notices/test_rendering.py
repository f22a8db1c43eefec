"""Shown is approved: what a channel renders reads back as the very call, or the channel shows none of it and links."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import orjson
import pytest
from hypothesis import given, settings

from aegis_authz.approvals.statement import is_statement_of
from aegis_authz.core.approval import Approval, ApprovalProof, ApprovalRequest, ApprovalState
from aegis_authz.core.notice import NoticeKind
from aegis_authz.notices import mail, slack, teams, webhook
from tests.support.held_calls import HELD, REQUEST, held, requests

URL = "https://aegis.acme.example"


def on_slack(approval: Approval) -> str:
    """What people read, after the way through JSON."""
    return slack.shown_text(json.loads(orjson.dumps(slack.message(approval, URL)["blocks"])))


def on_teams(approval: Approval) -> str:
    return teams.shown_text(json.loads(orjson.dumps(teams.message(approval, URL))))


def in_a_mail(approval: Approval) -> str:
    sent = mail.mail(approval, URL, "aegis@acme.example", "finance@acme.example", 1000.0).as_bytes()
    received = message_from_bytes(sent, policy=SMTP)
    assert isinstance(received, EmailMessage)
    assert all(len(line) <= 998 for line in sent.split(b"\r\n"))  # RFC 5322 section 2.1.1
    return mail.shown_text(received)


def at_a_webhook(approval: Approval) -> str:
    return webhook.shown_text(webhook.body(NoticeKind.HELD, approval, URL))


CHANNELS = pytest.mark.parametrize("shown", [on_slack, on_teams, in_a_mail, at_a_webhook], ids=lambda one: one.__name__)


@CHANNELS
@settings(max_examples=150)
@given(request_=requests())
def test_any_call_is_shown_whole_or_not_at_all(shown: Callable[[Approval], str], request_: ApprovalRequest) -> None:
    text = shown(held(request_))
    assert text in ("", "null") or is_statement_of(text, request_)


@CHANNELS
@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(request_=requests())
def test_any_of_ten_thousand_calls_is_shown_whole_or_not_at_all(
    shown: Callable[[Approval], str], request_: ApprovalRequest
) -> None:
    text = shown(held(request_))
    assert text in ("", "null") or is_statement_of(text, request_)


@CHANNELS
def test_a_plain_call_is_shown(shown: Callable[[Approval], str]) -> None:
    assert is_statement_of(shown(HELD), REQUEST)


@pytest.mark.parametrize("shown", [on_slack, on_teams], ids=lambda one: one.__name__)
def test_a_call_that_does_not_fit_is_not_shown_and_not_decided_there(shown: Callable[[Approval], str]) -> None:
    long = held(replace(REQUEST, parameters={"memo": "x" * 40_000}))
    assert shown(long) == ""
    text = orjson.dumps([slack.message(long, URL), teams.message(long, URL)]).decode()
    assert "does not fit into this message" in text
    assert f"{URL}/approvals/{REQUEST.id}" in text
    assert slack.APPROVE not in text
    assert len(orjson.dumps(teams.message(long, URL))) < teams.MOST_BYTES


def test_slack_takes_the_message_by_its_own_limits() -> None:
    for size in (0, 2_990, 3_010, 30_000):
        blocks = slack.message(held(replace(REQUEST, parameters={"memo": "x" * size})), URL)["blocks"]
        assert isinstance(blocks, list)
        assert len(blocks) <= 50
        for block in blocks:
            assert isinstance(block, dict)
            for text in _texts(block):
                assert 0 < len(text) <= 3000


def _texts(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["text"]] if isinstance(node.get("text"), str) else []
        return own + [text for value in node.values() for text in _texts(value)]
    return [text for entry in node for text in _texts(entry)] if isinstance(node, list) else []


def test_buttons_ask_again_and_name_the_call_as_it_is_shown() -> None:
    text = orjson.dumps(slack.message(HELD, URL)).decode()
    assert text.count('"confirm":{"title"') == 2
    assert "Reason (a denial needs one)" in text
    values = {element["value"] for element in _buttons(HELD) if "value" in element}
    assert len(values) == 1
    other = {element["value"] for element in _buttons(held(replace(REQUEST, digest="e"))) if "value" in element}
    assert values.isdisjoint(other)


def _buttons(approval: Approval) -> list[dict[str, str]]:
    blocks = json.loads(orjson.dumps(slack.message(approval, URL)))["blocks"]
    return [element for block in blocks if block["type"] == "actions" for element in block["elements"]]


def test_what_must_be_typed_is_not_approved_by_a_click() -> None:
    typed = held(replace(REQUEST, confirm=("payee",)))
    assert [button["action_id"] for button in _buttons(typed)] == ["aegis_page"]
    assert is_statement_of(on_slack(typed), typed.request)


def test_what_only_who_is_signed_in_decides_has_a_link_in_place_of_buttons() -> None:
    kept = held(replace(REQUEST, proof=ApprovalProof.SIGNED_IN))
    assert [button["action_id"] for button in _buttons(kept)] == ["aegis_page"]
    assert is_statement_of(on_slack(kept), kept.request)


@pytest.mark.parametrize("state", [state for state in ApprovalState if state is not ApprovalState.PENDING])
def test_what_is_settled_has_no_buttons_and_says_who_decided(state: ApprovalState) -> None:
    settled = replace(HELD, state=state, decided_by="ann", decided_at=1001.0)
    assert _buttons(settled) == []
    used = "Approved by ann; the call has been let through."
    words = used if state is ApprovalState.USED else f"{state.value.capitalize()} by ann."
    assert words in orjson.dumps(slack.message(settled, URL)).decode()


def test_the_first_of_two_approvals_is_shown_while_the_second_is_missing() -> None:
    first = replace(held(replace(REQUEST, approvals=2)), approved_by=("ann",))
    text = orjson.dumps(slack.message(first, URL)).decode()
    assert "Pending: 1 of 2 have approved." in text
    assert slack.APPROVE in text


def test_a_mail_has_no_header_that_a_call_wrote() -> None:
    sly = held(replace(REQUEST, tool="x\r\nBcc: eve@x.example", policies=("a\nb",)))
    sent = mail.mail(sly, URL, "aegis@acme.example", "finance@acme.example", 1000.0).as_bytes()
    head = sent.partition(b"\r\n\r\n")[0]
    assert b"\r\nBcc:" not in head
    assert message_from_bytes(sent, policy=SMTP)["Auto-Submitted"] == "auto-generated"
