"""What FastAPI would answer by itself is answered as everything else is: a problem document that names the field."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from aegis_authz.control.app import ControlServices
from aegis_authz.core.json_value import Json

Client = Callable[[ControlServices, str], httpx.AsyncClient]
GOOD: dict[str, Json] = {"policies": {}, "tools": {}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"message": 5}, "message"),
        ({"message": "a\nb"}, "message"),
        ({"by": "ann"}, "by"),
        ({"messages": ""}, "messages"),
        ({"tools": {"a.yaml": 5}}, "tools/a.yaml"),
        ({"tools": {"\x1b[2J": 5}}, "tools/?[2J"),
        ({"tools": None}, "tools"),
    ],
    ids=str,
)
async def test_a_body_that_does_not_fit_is_a_problem_that_names_the_member(
    plane: ControlServices, client: Client, change: dict[str, Json], field: str
) -> None:
    async with client(plane, "ann") as admin:
        answer = await admin.post("/v1/policies", json={**GOOD, **change})
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert (problem["type"], problem["status"]) == ("about:blank", 400)
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["detail"].startswith(f"{field}: ")


async def test_what_was_sent_is_not_sent_back(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        answer = await admin.post("/v1/policies", json={**GOOD, "by": ["s3cret"]})
    assert "s3cret" not in answer.text


async def test_of_many_errors_the_first_are_told(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        answer = await admin.post("/v1/policies", json={**GOOD, "tools": {f"{n}.yaml": n for n in range(500)}})
    assert len(answer.json()["errors"]) == 20


async def test_a_parameter_that_does_not_fit_is_named(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        answer = await admin.post("/v1/policies?wait=31", json=GOOD)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("wait: ")


async def test_nobody_without_the_token_learns_what_a_body_must_be(plane: ControlServices, client: Client) -> None:
    async with client(plane, "wrong") as stranger:
        for content in (b"{", b" " * 100_000, b'{"by": 5}'):
            answer = await stranger.post("/v1/rollback", content=content, headers={"content-type": "application/json"})
            assert answer.status_code == 401


async def test_another_method_and_an_unknown_path_are_problems(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        method, path = await admin.delete("/v1/policies"), await admin.get("/v1/nothing")
        slash = await admin.get("/v1/status/")
    assert (method.status_code, path.status_code, slash.status_code) == (405, 404, 404)
    assert method.headers["allow"] == "POST"
    for answer in (method, path):
        assert answer.headers["content-type"] == "application/problem+json"


async def test_what_can_be_got_can_be_asked_for_its_head(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        assert (await admin.head("/healthz")).status_code == 200
        assert (await admin.head("/readyz")).status_code == 503
        assert (await admin.head("/v1/status")).status_code == 200
    async with client(plane, "wrong") as stranger:
        assert (await stranger.head("/v1/status")).status_code == 401
