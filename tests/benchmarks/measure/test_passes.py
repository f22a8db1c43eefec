from __future__ import annotations

import json
import os
from collections.abc import Sequence

import pytest
from envoy.service.auth.v3 import external_auth_pb2

from aegis_authz.load.calls import ALLOWED, DENIED, Call, Due
from aegis_authz.wire.envoy.ext_authz import read_check_request
from benchmarks.measure.passes import AT_A_TIME, Envelope, Pass, WrongAnswer, play, refusal

CALL = Call("/v1/payments/p-1?view=full", ALLOWED, "PATCH", "api.example", b'{"amount": 1}')
Response = external_auth_pb2.CheckResponse


def refused(status: int, body: object) -> Response:
    response = Response()
    response.status.code = 7
    response.denied_response.status.code = status
    response.denied_response.body = json.dumps(body)
    return response


def of_mcp(facts: dict[str, str]) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "result": {"isError": True, "_meta": {"aegis": facts}}}


def test_a_question_is_read_as_one_of_envoy() -> None:
    message, due = Envelope(listener="pod-1").question(CALL, "token", "route", 7)
    call = read_check_request(message)
    assert (call.method, call.host, call.path, call.query) == ("PATCH", "api.example", "/v1/payments/p-1", "view=full")
    assert (call.body, call.route, call.listener, due) == (CALL.body, "route", "pod-1", ALLOWED)
    assert call.headers["x-aegis-token"] == ("token",)
    assert call.headers["content-length"] == (str(len(CALL.body)),)


def test_a_call_without_a_token_shows_none() -> None:
    message, _ = Envelope().question(CALL, "", "route", 7)
    assert "x-aegis-token" not in read_check_request(message).headers


def test_most_read_headers_as_one_map_and_the_body_as_text() -> None:
    message, _ = Envelope(joined=True).question(CALL, "token", "route", 7)
    http = external_auth_pb2.CheckRequest.FromString(message).attributes.request.http
    assert (http.body, http.raw_body) == (CALL.body.decode(), b"")
    assert http.headers["x-aegis-token"] == "token"
    assert http.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("answer", "due"),
    [
        (Response(), ALLOWED),
        (Response(ok_response=external_auth_pb2.OkHttpResponse()), ALLOWED),
        (refused(403, {"reason": "POLICY_DENIED"}), DENIED),
        (refused(403, "no reason"), DENIED),
        (refused(200, of_mcp({"reason": "POLICY_DENIED", "retry": "never"})), DENIED),
    ],
)
def test_what_is_due_is_right(answer: Response, due: Due) -> None:
    assert refusal(answer, due) == ""


@pytest.mark.parametrize(
    ("answer", "due"),
    [
        (Response(), DENIED),
        (refused(403, {"reason": "POLICY_DENIED"}), ALLOWED),
        (refused(403, {"reason": "POLICY_DENIED"}), Due(403, "APPROVAL_NEEDED")),
        (refused(200, of_mcp({"reason": "PARAMETER_TYPE"})), DENIED),
        (refused(401, {"reason": "CREDENTIAL_INVALID"}), DENIED),
    ],
)
def test_anything_else_voids_the_run(answer: Response, due: Due) -> None:
    with pytest.raises(WrongAnswer):
        refusal(answer, due)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refused(503, {"reason": "OVERLOADED"}), "OVERLOADED"),
        (refused(503, "nothing"), "503"),
        (refused(200, of_mcp({"reason": "OVERLOADED", "retry": "later"})), "OVERLOADED"),
    ],
)
def test_a_call_there_was_no_room_for_is_neither_right_nor_wrong(answer: Response, reason: str) -> None:
    assert refusal(answer, ALLOWED) == reason


class Scripted:
    """Stands for a contender: answers what it is told to, and counts what is asked."""

    def __init__(self, *answers: Response) -> None:
        self.asked = 0
        self.traces: set[str] = set()
        self._answers = answers

    async def __call__(self, message: bytes, *, timeout: float, metadata: Sequence[tuple[str, str]]) -> bytes:
        self.asked += 1
        self.traces.add(dict(metadata)["traceparent"])
        return self._answers[self.asked % len(self._answers)].SerializeToString()


async def test_every_question_of_a_pass_is_asked_once_and_what_it_costs_is_charged_to_right_answers() -> None:
    check = Scripted(Response(), refused(503, {"reason": "OVERLOADED"}))
    questions = [Envelope().question(CALL, "", "route", number) for number in range(2 * AT_A_TIME)]
    found = await play(check, questions, {"authz": (os.getpid(),)})
    assert check.asked == len(check.traces) == len(questions)
    assert (found.right, found.refused) == (AT_A_TIME, {"OVERLOADED": AT_A_TIME})
    assert found.per_decision()["authz"] == pytest.approx(found.cpu["authz"] * 1e6 / AT_A_TIME)


def test_a_pass_without_a_right_answer_divides_by_no_zero() -> None:
    assert Pass(0, {"OVERLOADED": 1}, {"authz": 0.5}).per_decision() == {"authz": 500_000}


async def test_a_wrong_answer_ends_the_pass() -> None:
    with pytest.raises(WrongAnswer):
        await play(Scripted(Response()), [(Envelope().question(CALL, "", "r", 1)[0], DENIED)], {})
