"""Every route of the control plane, every role, every tenant: who enters where."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.control.app import ControlServices, create_app
from aegis_authz.control.gate import AdminTokenHolder, Asker, Reach, declared, needs, people_router
from aegis_authz.core.person import Role
from aegis_authz.people.permissions import BOOTSTRAP_OWNER, PERMISSIONS, Permission
from tests.support.people import by, person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]

OPEN = {
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/approvals/sign-in"),
    ("GET", "/approvals/style.css"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/v1/approvals/{approval_id}/status"),
    ("POST", "/approvals/sign-in"),
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


@pytest.mark.parametrize("sent", ["", "s3cre", "s3cret0", "S3CRET", "é"])
async def test_what_is_not_the_admin_token_is_nobody(plane: ControlServices, client: Client, sent: str) -> None:
    async with client(replace(plane, authentication=AdminTokenHolder("s3cret")), "") as anyone:
        headers = {b"authorization": f"Bearer {sent}".encode("latin-1")}
        assert (await anyone.get("/v1/status", headers=headers)).status_code == 401
