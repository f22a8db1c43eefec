"""The signature of a webhook binds its time and its body."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256

from aegis_authz.core.notice import NoticeKind
from aegis_authz.notices.webhook import NOTICE, SIGNATURE, TIMESTAMP, body, signed
from tests.support.held_calls import HELD, REQUEST


def test_the_signature_is_over_the_time_and_the_raw_body() -> None:
    raw = body(NoticeKind.HELD, HELD, "https://aegis.acme.example/")
    headers = signed(b"key", raw, "apr_1.held", 1000.9)
    expected = hmac.new(b"key", b"v1:1000:" + raw, sha256).hexdigest()
    assert headers[SIGNATURE] == f"v1={expected}"
    assert (headers[TIMESTAMP], headers[NOTICE]) == ("1000", "apr_1.held")


def test_the_body_says_what_is_held_and_where_it_is_decided() -> None:
    content = json.loads(body(NoticeKind.HELD, HELD, "https://aegis.acme.example/"))
    assert content["call"]["parameters"] == {"amount": 7000, "payee": "ACME", "lines": [1, "b"]}
    assert content["url"] == f"https://aegis.acme.example/approvals/{REQUEST.id}"
    assert (content["notice"], content["state"], content["groups"]) == ("held", "pending", ["finance", "board"])
