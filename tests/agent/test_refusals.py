from __future__ import annotations

import json

import pytest

from aegis_authz.agent.refusals import Cause, Unforwarded, local_answer

AWAY = Unforwarded(Cause.TOKEN_UNAVAILABLE, "Not sent: the control plane is away.")


def test_a_tool_call_gets_a_result_its_model_can_read() -> None:
    answer = local_answer(AWAY, b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}')
    message = json.loads(answer.body)
    assert (answer.status, answer.content_type, message["id"]) == (200, "application/json", 7)
    assert message["result"]["isError"] is True
    assert message["result"]["content"][0]["text"] == "Not sent: the control plane is away."
    assert message["result"]["_meta"]["aegis"]["reason"] == "TOKEN_UNAVAILABLE"


def test_a_request_of_a_session_gets_an_error_and_the_session_lives() -> None:
    answer = local_answer(AWAY, b'{"jsonrpc":"2.0","id":"a","method":"tools/list"}')
    assert answer.status == 200
    assert json.loads(answer.body)["error"]["message"] == str(AWAY)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id":1}', b'{"jsonrpc":"2.0","method":5}', b"\xff"])
def test_whatever_else_gets_a_problem_document(body: bytes) -> None:
    answer = local_answer(AWAY, body)
    document = json.loads(answer.body)
    assert (answer.status, answer.content_type) == (503, "application/problem+json")
    assert (document["reason"], document["retry"], document["decision"]) == ("TOKEN_UNAVAILABLE", "later", "deny")


def test_no_cause_reads_as_an_allow() -> None:
    assert all(cause.status >= 400 for cause in Cause)
    assert len({cause.code for cause in Cause}) == len(Cause)
