from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import httpx
import pytest

from aegis_authz.adapters.control_client import ControlClient
from aegis_authz.adapters.control_connection import ControlRefused, ControlUnreachable
from aegis_authz.api.policies import ReleaseAnswer
from aegis_authz.policy.source.problems import Problem

RELEASE = {
    "revision": "r1",
    "previous": "",
    "changed": True,
    "tools_changed": False,
    "active_on": ["opa-1"],
    "refused": {},
    "waiting_for": [],
    "seconds": 1,
}

Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer) -> ControlClient:
    return ControlClient("http://control", "s3cret", httpx.MockTransport(answer))


def test_it_bears_the_admin_token_and_says_how_long_it_waits() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=RELEASE)

    with client(answer) as control:
        release = control.publish({"a": "x"}, {}, {"a_test.yaml": "t"}, "why", 2.5)
    assert release == ReleaseAnswer.model_validate_json(json.dumps(RELEASE))
    assert (release.revision, release.active_on) == ("r1", ("opa-1",))
    assert seen[0].headers["authorization"] == "Bearer s3cret"
    assert seen[0].url == "http://control/v1/policies?wait=2.5"
    assert json.loads(seen[0].content) == {
        "policies": {"a": "x"},
        "tools": {},
        "tests": {"a_test.yaml": "t"},
        "message": "why",
    }


def test_a_reason_to_accept_is_a_member_where_there_is_one_and_else_none_that_a_control_plane_of_before_refuses() -> (
    None
):
    bodies: list[dict[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json={**RELEASE, "revision": "r1", "previous": ""})

    with client(answer) as control:
        for accept in ("", "too low"):
            control.publish({}, {}, {}, "", 0, accept)
            control.rollback("r1", "", 0, accept)
            control.confirm_proposal("pub_1", "d", "", accept)
    assert [body.get("accept", "-") for body in bodies] == ["-"] * 3 + ["too low"] * 3


def test_a_refusal_carries_the_problems() -> None:
    problem = Problem("a.yaml", 3, 5, "agent", "missing")
    document = {"type": "about:blank", "status": 422, "detail": "1 problem", "problems": [asdict(problem)]}
    with (
        client(lambda _: httpx.Response(422, json=document)) as control,
        pytest.raises(ControlRefused, match="1 problem") as refused,
    ):
        control.publish({}, {}, {}, "", 0)
    assert (refused.value.status, refused.value.problems) == (422, (problem,))


def test_a_member_of_a_newer_control_plane_is_passed_over() -> None:
    with client(lambda _: httpx.Response(200, json={**RELEASE, "newer": {}})) as control:
        assert control.rollback("r1", "", 0).revision == "r1"


@pytest.mark.parametrize("missing", sorted(RELEASE))
def test_an_answer_without_one_of_its_members_is_none(missing: str) -> None:
    answer = {name: value for name, value in RELEASE.items() if name != missing}
    with (
        client(lambda _: httpx.Response(200, json=answer)) as control,
        pytest.raises(ControlUnreachable, match="no control"),
    ):
        control.rollback("r1", "", 0)


@pytest.mark.parametrize("content", [b"<html>", b"{}", b'{"detail": 5}'])
def test_a_refusal_that_is_no_problem_document_is_no_control_planes(content: bytes) -> None:
    with (
        client(lambda _: httpx.Response(502, content=content)) as control,
        pytest.raises(ControlUnreachable, match="no control plane of this version \\(HTTP 502\\)"),
    ):
        control.status()


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"", b'{"a":1,"a":2}'])
def test_what_is_no_control_plane_is_said(content: bytes) -> None:
    with (
        client(lambda _: httpx.Response(200, content=content)) as control,
        pytest.raises(ControlUnreachable, match="no control"),
    ):
        control.status()


def test_a_redirect_is_not_followed_with_the_token() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(307, headers={"location": "http://evil/"}, json={"detail": "elsewhere"})

    with client(answer) as control, pytest.raises(ControlUnreachable):
        control.status()
    assert asked == ["control"]


def test_a_proxy_of_the_environment_never_sees_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with ControlClient("http://127.0.0.1:1", "s3cret") as control, pytest.raises(ControlUnreachable) as fault:
        control.status()
    assert "s3cret" not in str(fault.value)
    assert "http://127.0.0.1:1" in str(fault.value)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_an_id_that_would_be_another_door_is_not_sent(name: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise AssertionError("was sent")

    with client(answer) as control, pytest.raises(ControlRefused):
        control.approve(name, "", {})
