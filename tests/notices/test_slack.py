"""What Slack sends back: believed when it is signed, whole and new, and read as one press of a button."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from urllib.parse import urlencode

import pytest

from aegis_authz.notices.slack import NotFromSlack, Press, press_of, require_signature

SECRET = b"8f742231b10e8888abcd99yyyzzz85a5"
NOW = 1_531_420_618.0
ID = "apr_00" + "1" * 32


def payload(**changes: object) -> dict[str, object]:
    return {
        "type": "block_actions",
        "user": {"id": "U024BE7LH", "username": "ann", "team_id": "T1"},
        "team": {"id": "T1", "domain": "acme"},
        "actions": [{"action_id": "aegis_deny", "block_id": "b", "type": "button", "value": f"{ID} {'a' * 64}"}],
        "state": {"values": {"aegis_reason_block": {"aegis_reason": {"type": "plain_text_input", "value": " too much "}}}},
        "response_url": "https://hooks.slack.com/actions/T1/1/x",
        **changes,
    }  # fmt: skip


def body(content: object) -> bytes:
    return urlencode({"payload": json.dumps(content)}).encode()


def signature(raw: bytes, timestamp: str = "1531420618", secret: bytes = SECRET) -> str:
    return "v0=" + hmac.new(secret, f"v0:{timestamp}:".encode() + raw, sha256).hexdigest()


def test_the_example_of_slacks_own_documentation_verifies() -> None:
    raw = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    own = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    require_signature(b"8f742231b10e8888abcd99yyyzzz85a5", "1531420618", own, raw, NOW)


@pytest.mark.parametrize(
    ("timestamp", "alter", "now", "words"),
    [
        ("1531420618", lambda own: own, NOW + 301, "older than five minutes"),
        ("1531420618", lambda own: own, NOW - 301, "from the future"),
        ("1531420618", lambda own: own[:-1] + ("0" if own[-1] != "0" else "1"), NOW, "does not verify"),
        ("1531420618", lambda own: "v1" + own[2:], NOW, "does not verify"),
        ("1531420618", lambda own: "", NOW, "does not verify"),
        ("1531420618", lambda own: own + "\u00e9", NOW, "does not verify"),
        ("1531420619", lambda own: own, NOW, "does not verify"),
        ("", lambda own: own, NOW, "no number"),
        ("-1531420618", lambda own: own, NOW, "no number"),
        ("\u0661531420618", lambda own: own, NOW, "no number"),
        ("9" * 40, lambda own: own, NOW, "no number"),
    ],
)
def test_what_is_not_signed_so_now_is_not_from_slack(
    timestamp: str, alter: Callable[[str], str], now: float, words: str
) -> None:
    raw = body(payload())
    require_signature(SECRET, "1531420618", signature(raw), raw, NOW + 299)
    with pytest.raises(NotFromSlack, match=words):
        require_signature(SECRET, timestamp, alter(signature(raw)), raw, now)


def test_one_byte_of_the_body_is_enough() -> None:
    raw = body(payload())
    with pytest.raises(NotFromSlack):
        require_signature(SECRET, "1531420618", signature(raw), raw.replace(b"aegis_deny", b"aegis_approve"), NOW)


def test_a_press_is_read_with_its_reason_and_the_call_that_was_shown() -> None:
    assert press_of(body(payload())) == Press(
        "U024BE7LH", False, ID, "a" * 64, "too much", "https://hooks.slack.com/actions/T1/1/x"
    )
    approve = [{"action_id": "aegis_approve", "value": f"{ID} {'a' * 64}"}]
    press = press_of(body(payload(actions=approve, state={"values": {}})))
    assert press is not None
    assert (press.approves, press.reason) == (True, "")


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "view_submission"},
        {"actions": []},
        {"actions": [{"action_id": "aegis_page"}]},
        {"actions": [{"action_id": "other", "value": "x"}]},
        {"actions": [{"action_id": "aegis_deny", "value": "x"}, {"action_id": "aegis_approve", "value": "x"}]},
    ],
    ids=str,
)
def test_what_is_no_press_of_one_of_our_buttons_decides_nothing(changes: dict[str, object]) -> None:
    assert press_of(body(payload(**changes))) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"payload=",
        b"payload=%7B",
        b"payload=[]",
        b"payload={}&payload={}",
        b"\xff",
        urlencode({"payload": '{"type": "a", "type": "block_actions"}'}).encode(),
        body(payload(user={})),
        body(payload(response_url=None)),
        body(payload(actions=[{"action_id": "aegis_deny", "value": ""}])),
    ],
)
def test_what_slack_would_not_send_is_refused(raw: bytes) -> None:
    with pytest.raises(NotFromSlack):
        press_of(raw)
