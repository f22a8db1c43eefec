"""Every route of the control plane, every role, every tenant: who enters where."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.control.app import ControlServices, create_app
from aegis_authz.control.gate import AdminTokenHolder, Asker, Reach, act_words, declared, needs, people_router
from aegis_authz.control.http import StrictRequest
from aegis_authz.core.change_line import Act, ChangeLine
from aegis_authz.core.json_value import Json
from aegis_authz.core.person import Role
from aegis_authz.core.release import Sources
from aegis_authz.people.permissions import BOOTSTRAP_OWNER, PERMISSIONS, Permission
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.testing.people import MemoryPeople
from tests.support.people import by, person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]

OPEN = {
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/approvals/sign-in"),
    ("GET", "/approvals/sign-out"),
    ("POST", "/v1/session/code"),
    ("GET", "/console/assets/{name}"),
    ("GET", "/console/sign-in"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/v1/approvals/{approval_id}/status"),
    ("GET", "/v1/authorities"),
    ("POST", "/approvals/sign-in"),
    ("POST", "/console/sign-in"),
    ("POST", "/approvals/sign-out"),
    ("POST", "/v1/channels/slack/interactions"),
    ("POST", "/v1/enroll"),
    ("POST", "/v1/password"),
    ("POST", "/v1/session"),
    ("POST", "/v1/token"),
}
"""What everyone may ask: each of them proves its caller by itself, or shows nothing of anybody."""
PROGRAMS = {("GET", "/bundles/aegis.tar.gz"), ("GET", "/bundles/opa.tar.gz"), ("POST", "/status")}
"""The routes of OPA, which is no person."""
PLACES = {"": "*", "@acme/emea": "acme/emea", "@acme": "acme"}


def routes(app: FastAPI | APIRouter) -> Iterator[tuple[str, str, APIRoute]]:
    for route in app.routes:
        inside = getattr(route, "original_router", None)
        if isinstance(inside, APIRouter):  # what `include_router` leaves
            yield from routes(inside)
            continue
        assert isinstance(route, APIRoute), f"{route} is a route of which nobody says who enters"
        for method in route.methods:
            yield method, route.path, route


def of_people(app: FastAPI) -> list[tuple[str, str, APIRoute]]:
    return [entry for entry in routes(app) if entry[:2] not in OPEN | PROGRAMS]


def path_in(path: str, place: str) -> str:
    org, _, tenant = place.partition("/")
    path = path.replace("{org}", org).replace("{tenant}", tenant)
    return re.sub(r"\{[a-z_]+\}", "apr_00ff", path.replace("{key_id}", "0123456789abcdef"))


@pytest.fixture
def app(plane: ControlServices) -> FastAPI:
    return create_app(plane)


def test_every_route_is_open_a_programs_or_declares_a_permission(app: FastAPI) -> None:
    assert {entry[:2] for entry in routes(app)} >= OPEN | PROGRAMS
    assert len(of_people(app)) > 20
    for method, path, route in of_people(app):
        assert declared(route).permission in PERMISSIONS, (method, path)


def test_a_permission_holds_in_the_tenant_of_the_path_wherever_there_is_one(app: FastAPI) -> None:
    for _, path, route in of_people(app):
        assert (declared(route).reach is Reach.PATH) == ("{tenant}" in path), path


def test_a_route_that_declares_no_permission_cannot_be_made(plane: ControlServices) -> None:
    people = people_router(plane.authentication)
    with pytest.raises(TypeError, match="must declare one permission"):

        @people.get("/v1/forgotten")
        async def forgotten() -> str:
            return ""

    with pytest.raises(TypeError, match="must declare one permission"):

        @people.get("/v1/twice", dependencies=[needs(Permission.READ_AGENTS), needs(Permission.READ_LIMITS)])
        async def twice() -> str:
            return ""


async def test_a_caller_is_given_to_no_route_beside_the_gate() -> None:
    app = FastAPI()

    @app.get("/beside")
    async def beside(caller: Asker) -> str:
        return caller.id

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://control") as anyone:
        with pytest.raises(AttributeError, match="caller"):
            await anyone.get("/beside")


async def test_nobody_enters_unproven(plane: ControlServices, app: FastAPI, client: Client) -> None:
    async with client(plane, "") as stranger:
        for method, path, _ in of_people(app):
            for headers in ({}, by("nobody"), {"authorization": "Basic YTpi"}, {"x-person": "ann"}):
                answer = await stranger.request(method, path_in(path, "acme/emea"), headers=headers)
                assert answer.status_code == 401, (method, path)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("role", Role)
async def test_a_role_enters_where_it_holds_and_nowhere_else(
    plane: ControlServices, app: FastAPI, client: Client, role: Role, place: str
) -> None:
    """401 is nobody, 403 who may not; whatever else comes, the caller was inside."""
    services = with_people(plane, person("eve", role.value + place))
    async with client(services, "eve") as eve:
        for method, path, route in of_people(app):
            need = declared(route)
            assert need.permission is not None
            has_role = role in PERMISSIONS[need.permission]
            inside = {
                Reach.MESH: {"acme/emea": place == "", "globex/emea": place == ""},
                Reach.PATH: {"acme/emea": True, "acme/apac": place != "@acme/emea", "globex/emea": place == ""},
                Reach.EACH: {"acme/emea": True},
            }[need.reach]
            for tenant, is_inside in inside.items():
                answer = await eve.request(method, path_in(path, tenant))
                assert answer.status_code != 401
                assert (answer.status_code != 403) == (has_role and is_inside), (method, path, tenant, answer.text)


async def test_who_has_no_role_enters_nowhere(plane: ControlServices, app: FastAPI, client: Client) -> None:
    async with client(with_people(plane, person("eve")), "eve") as eve:
        for method, path, _ in of_people(app):
            assert (await eve.request(method, path_in(path, "acme/emea"))).status_code == 403, (method, path)


async def test_an_org_that_is_a_star_is_nobodys_tenant(plane: ControlServices, client: Client) -> None:
    async with client(with_people(plane, person("eve", "owner@acme")), "eve") as eve:
        for place in ("*/*", "acme/*", "*/emea"):
            answer = await eve.get(f"/v1/limits/{place}/bot")
            assert answer.status_code in (400, 403), place


async def test_what_a_person_does_is_kept_under_the_persons_id(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as ann:
        answer = await ann.post("/v1/limits/reset", json={"note": "nothing was lost"})
    assert answer.json()["by"] == "ann"


async def test_nobody_names_somebody_else(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as ann:
        assert (await ann.post("/v1/limits/reset", json={"by": "bob"})).status_code == 400


async def test_the_admin_token_is_the_bootstrap_owner_and_says_so(
    plane: ControlServices, client: Client, keys: Keys
) -> None:
    async with client(plane, keys.admin_token) as admin:
        answer = await admin.post("/v1/limits/reset", json={})
    assert (answer.status_code, answer.json()["by"]) == (200, BOOTSTRAP_OWNER.id)


async def test_what_is_changed_is_in_the_change_log_before_it_is_done(
    new_plane: Callable[..., ControlServices], client: Client
) -> None:
    kept = MemoryPeople(for_tests=True)
    async with client(new_plane(people=kept), "ann") as ann:
        assert (await ann.post("/v1/limits/reset", json={"note": "nothing was lost"})).status_code == 200
        await ann.post("/v1/agents/acme/emea/bot/release", json={"note": "all well"})  # which is not quarantined
        await ann.get("/v1/status")
    acts = [line.act for line in await kept.lines(0, 99)]
    assert [(act.person, act.action, act.subject, act.domain, act.reason) for act in acts] == [
        ("ann", "limits:reset", "", "*", "nothing was lost"),
        ("ann", "agents:release", "acme/emea/bot", "acme/emea", "all well"),
        ("ann", "agents:release", "acme/emea/bot", "acme/emea", "this was not done"),
    ]


async def test_every_change_is_a_line_or_says_that_it_writes_its_own(
    new_plane: Callable[..., ControlServices], client: Client
) -> None:
    kept = MemoryPeople(for_tests=True)
    plane = new_plane(people=kept)
    own = {("POST", "/v1/people"), ("PUT", "/v1/people/{person_id}"), ("POST", "/v1/people/{person_id}/code")}
    own |= {("PUT", "/v1/people/{person_id}/addresses/{channel}"), ("DELETE", "/v1/session")}
    own |= {("POST", "/approvals/command")}
    own |= {
        ("POST", f"/v1/people/{{person_id}}/{act}")
        for act in ("confirm", "sign-in-link", "certificates", "certificates/remove")
    }
    own |= {("POST", f"/v1/approvals/{{approval_id}}/{verb}") for verb in ("approve", "deny", "cancel")}
    own |= {("POST", "/approvals/{approval_id}"), ("POST", "/approvals/batch")}
    own |= {("POST", "/policies/edit/review"), ("POST", "/policies/{revision}/tests")}  # which change nothing
    own |= {("POST", "/playground")}
    own |= {("POST", "/access/v1/requests"), ("POST", "/agents/{org}/{tenant}/{agent}/{verb}")}
    own |= {("POST", "/people"), ("POST", "/people/{person_id}/{verb}")}
    own |= {("POST", "/v1/api-keys"), ("DELETE", "/v1/api-keys/{key_id}")}
    async with client(plane, "ann") as ann:
        for method, path, _ in of_people(create_app(plane)):
            before = len(await kept.lines(0, 999))
            await ann.request(method, path_in(path, "acme/emea"), json={"note": "why"})
            is_more = len(await kept.lines(0, 999)) > before
            assert is_more == (method != "GET" and (method, path) not in own), (method, path)


async def test_a_version_of_policy_is_kept_with_who_when_and_why(
    new_plane: Callable[..., ControlServices], client: Client, documents: Callable[..., Sources]
) -> None:
    kept, sources = MemoryPeople(for_tests=True), documents()
    async with client(new_plane(people=kept), "ann") as ann:
        body = {"policies": dict(sources.policies), "tools": dict(sources.tools), "message": "the first"}
        revision = (await ann.post("/v1/policies?wait=0", json=body)).json()["revision"]
    acts = [line.act for line in await kept.lines(0, 9)]
    assert [(act.action, act.subject, act.reason) for act in acts] == [
        ("policies:publish", "", "the first"),
        ("policies:version", revision, "the first"),
    ]


class NoChangeLog(MemoryPeople):
    """A database that cannot be written."""

    async def append(self, act: Act) -> ChangeLine:
        raise DatabaseFault("the disk of /secret/path is full")


class NoAnswer(MemoryPeople):
    """A database that hangs."""

    async def append(self, act: Act) -> ChangeLine:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_change_log_that_does_not_answer_keeps_no_agent_going(
    new_plane: Callable[..., ControlServices], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis_authz.control.gate._STOP_PATIENCE", 0.01)
    plane = new_plane(people=NoAnswer(for_tests=True))
    async with asyncio.timeout(5), client(plane, "ann") as ann:
        stopped = await ann.post("/v1/agents/acme/emea/bot/quarantine", json={"note": "odd", "seconds": 600})
    assert stopped.status_code == 200


async def test_without_a_change_log_nothing_is_changed_but_an_agent_is_stopped(
    new_plane: Callable[..., ControlServices], client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    plane = new_plane(people=NoChangeLog(for_tests=True))
    async with client(plane, "ann") as ann:
        reset = await ann.post("/v1/limits/reset", json={})
        stopped = await ann.post("/v1/agents/acme/emea/bot/quarantine", json={"note": "odd", "seconds": 600})
        listed = (await ann.get("/v1/agents/quarantined")).json()["quarantines"]
        release = await ann.post("/v1/agents/acme/emea/bot/release", json={})
    assert (reset.status_code, "/secret/path" in reset.text) == (503, False)
    assert release.status_code == 503
    assert stopped.status_code == 200
    assert [entry["agent"] for entry in listed] == ["bot"]
    assert "agents:quarantine by ann on acme/emea/bot is in no change log" in caplog.text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"note": "a\x1b[2Jb"}, ("", "*", "a?[2Jb")),
        ({"note": 5, "org": ["x"]}, ("", "*", "")),
        ({"org": "ACME", "tenant": "emea", "name": "n"}, ("ACME/emea/n", "*", "")),
        ({"kind": "tenant", "org": "acme", "tenant": "emea", "message": "m"}, ("tenant/acme/emea", "acme/emea", "m")),
        ({"note": "n" * 9000, "revision": "r" * 9000}, ("r" * 500, "*", "n" * 500)),
    ],
    ids=str,
)
def test_what_a_request_says_of_itself_is_cut_to_a_line(body: dict[str, Json], words: tuple[str, str, str]) -> None:
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "path_params": {}}
    assert act_words(StrictRequest(Request(scope), b"", body)) == words


class AdminAlone(AdminTokenHolder):
    """Authentication of a plane with nobody in it."""

    def __init__(self) -> None:
        super().__init__("s3cret")

    async def note(self, *_: object) -> None:
        raise AssertionError("nobody was let in")


@pytest.mark.parametrize("sent", ["", "s3cre", "s3cret0", "S3CRET", "é"])
async def test_what_is_not_the_admin_token_is_nobody(plane: ControlServices, client: Client, sent: str) -> None:
    async with client(replace(plane, authentication=AdminAlone()), "") as anyone:
        headers = {b"authorization": f"Bearer {sent}".encode("latin-1")}
        assert (await anyone.get("/v1/status", headers=headers)).status_code == 401
