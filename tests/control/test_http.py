"""What FastAPI would answer by itself is answered as everything else is: a problem document that names the field."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import httpx
import pytest
from starlette.requests import Request

from aegis_authz.control.app import ControlServices
from aegis_authz.control.gate import Proven
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
    async with client(plane, "ann") as admin:
        answer = await admin.request("OPTIONS", "/v1/session")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, POST")
    for answer in (method, path):
        assert answer.headers["content-type"] == "application/problem+json"


async def test_what_can_be_got_can_be_asked_for_its_head(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        assert (await admin.head("/healthz")).status_code == 200
        assert (await admin.head("/readyz")).status_code == 503
        assert (await admin.head("/v1/status")).status_code == 200
    async with client(plane, "wrong") as stranger:
        assert (await stranger.head("/v1/status")).status_code == 401


async def test_a_browser_reads_every_problem_as_a_page_and_a_program_none(
    plane: ControlServices, client: Client
) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    async with client(plane, "wrong") as stranger:
        for path, status in (("/", 401), ("/nowhere", 404), ("/v1/status", 401), ("/approvals", 401)):
            page = await stranger.get(path, headers=browser)
            assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8"), path
            assert "<h1>This did not work</h1>" in page.text
        assert (await stranger.delete("/v1/status", headers=browser)).headers["allow"] == "GET"
        assert (await stranger.get("/nowhere", headers={"accept": "*/*"})).headers[
            "content-type"
        ] == "application/problem+json"


async def test_what_nobody_foresaw_is_a_problem_with_the_headers_of_all_others(
    plane: ControlServices, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def proven(self, _: Request) -> Proven | None:
            raise RuntimeError("s3cret")

        async def note(self, *_: object) -> None:
            raise AssertionError

    async with client(replace(plane, authentication=Broken()), "ann") as admin:
        answer, page = await admin.get("/v1/status"), await admin.get("/approvals")
    assert (answer.status_code, answer.json()["detail"]) == (500, "the control plane failed; its log says more")
    assert (page.status_code, "its log says more" in page.text) == (500, True)
    for each in (answer, page):
        assert "s3cret" not in each.text
        assert (each.headers["cache-control"], each.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert caplog.text.count("RuntimeError: s3cret") == 2, "the log must say why"


async def test_what_is_no_http_is_a_problem_too(
    plane: ControlServices, serving: Callable[..., AbstractAsyncContextManager[str]]
) -> None:
    async with serving(plane) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"s3cret \x00\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert (json.loads(body)["status"], b"s3cret" in body) == (400, False)
