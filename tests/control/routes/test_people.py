"""People over HTTP: adding them, signing in, keys, and who sees whom."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices, create_app
from aegis_authz.testing.people import MemoryPeople
from tests.support.people import by, person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
PASSWORD = "correct horse battery"
ADMINS = (
    person("root", "owner"),
    person("emea", "owner@acme/emea"),
    person("acme", "owner@acme"),
    person("checker", "auditor@acme/emea"),
)


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices]) -> ControlServices:
    return with_people(new_plane(), *ADMINS)


async def added(admin: httpx.AsyncClient, by_whom: str, person_id: str, *roles: str) -> httpx.Response:
    body = {"id": person_id, "name": person_id.title(), "roles": list(roles), "groups": ["finance"], "note": "new"}
    return await admin.post("/v1/people", json=body, headers=by(by_whom))


def browser(plane: ControlServices, base: str = "http://control") -> httpx.AsyncClient:
    """A client without credentials that keeps cookies."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(plane)), base_url=base)


async def test_a_person_is_added_and_signs_in(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as admin:
        code = (await added(admin, "root", "zoe", "approver@acme/emea")).json()["code"]
    async with browser(plane) as zoe:
        body = {"code": code, "person": "zoe", "password": PASSWORD}
        first = await zoe.post("/v1/password", json=body)
        assert (first.status_code, first.json()["person"]["roles"]) == (200, ["approver@acme/emea"])
        assert (await zoe.get("/v1/session")).json()["person"]["groups"] == ["finance"]
        assert (await zoe.post("/v1/password", json=body)).status_code == 401
    async with browser(plane) as zoe:
        wrong = await zoe.post("/v1/session", json={"person": "zoe", "password": "wrong"})
        assert (wrong.status_code, wrong.headers["content-type"]) == (401, "application/problem+json")
        assert "set-cookie" not in wrong.headers
        answer = await zoe.post("/v1/session", json={"person": "zoe", "password": PASSWORD})
        assert answer.json()["csrf"]
        assert (await zoe.get("/v1/approvals")).status_code == 503  # inside: the store of this test is down


async def signed_in(plane: ControlServices, admin: httpx.AsyncClient, person_id: str, *roles: str) -> str:
    code = (await added(admin, "root", person_id, *roles)).json()["code"]
    body = {"code": code, "person": person_id, "password": PASSWORD}
    answer = await admin.post("/v1/password", json=body)
    admin.cookies.clear()
    return answer.headers["set-cookie"]


async def test_the_cookie_is_shown_to_no_script_and_no_other_site(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as admin:
        cookie = await signed_in(plane, admin, "zoe", "viewer")
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= parts
    assert "secure" not in parts  # this control plane is reached in the clear, on loopback


async def test_over_tls_the_cookie_is_the_hosts_own(
    new_plane: Callable[..., ControlServices], settings: ControlSettings, client: Client
) -> None:
    settings = settings.model_copy(update={"public_url": "https://control.example"})
    plane = with_people(new_plane(settings=settings), *ADMINS)
    async with client(plane, "") as admin:
        cookie = await signed_in(plane, admin, "zoe", "viewer")
    assert cookie.startswith("__Host-aegis-session=")
    assert "secure" in cookie.lower()


async def test_a_change_by_a_session_needs_its_csrf_token(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as admin:
        await added(admin, "root", "zoe", "owner")
        code = (await admin.post("/v1/people/zoe/code", json={}, headers=by("root"))).json()["code"]
    async with browser(plane) as zoe:
        signed = await zoe.post("/v1/password", json={"code": code, "person": "zoe", "password": PASSWORD})
        csrf = signed.json()["csrf"]
        for headers in ({}, {"x-csrf-token": "x"}, {"x-csrf-token": csrf[:-1]}):
            assert (await zoe.post("/v1/limits/reset", json={}, headers=headers)).status_code == 403
        answer = await zoe.post("/v1/limits/reset", json={}, headers={"x-csrf-token": csrf})
        assert (answer.status_code, answer.json()["by"]) == (200, "zoe")
        assert (await zoe.delete("/v1/session", headers={"x-csrf-token": csrf})).status_code == 204
        assert (await zoe.get("/v1/session")).status_code == 401


async def test_a_wrong_authorization_beside_a_good_cookie_is_nobody(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as admin:
        code = (await added(admin, "root", "zoe", "owner")).json()["code"]
    async with browser(plane) as zoe:
        await zoe.post("/v1/password", json={"code": code, "person": "zoe", "password": PASSWORD})
        assert (await zoe.get("/v1/session")).status_code == 200
        assert (await zoe.get("/v1/session", headers=by("wrong"))).status_code == 401


async def test_an_api_key_acts_for_its_person_and_is_told_once(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as admin:
        code = (await added(admin, "root", "zoe", "owner")).json()["code"]
        signed = await admin.post("/v1/password", json={"code": code, "person": "zoe", "password": PASSWORD})
        del admin.headers["authorization"]
        csrf = {"x-csrf-token": signed.json()["csrf"]}
        made = (await admin.post("/v1/api-keys", json={"label": "ci", "roles": ["viewer@acme"]}, headers=csrf)).json()
        listed = (await admin.get("/v1/api-keys")).json()["keys"]
    assert [entry["id"] for entry in listed] == [made["id"]]
    assert "key" not in listed[0]
    async with client(plane, made["key"]) as program:
        assert (await program.get("/v1/session")).json()["person"]["roles"] == ["viewer@acme"]
        assert (await program.post("/v1/limits/reset", json={})).status_code == 403
        another = await program.post("/v1/api-keys", json={"label": "for later", "days": 400})
        assert (another.status_code, "an API key makes no other" in another.text) == (403, True)
        assert (await program.delete(f"/v1/api-keys/{made['id']}")).status_code == 204
        assert (await program.get("/v1/session")).status_code == 401


async def test_the_admin_token_makes_no_key(plane: ControlServices, client: Client, keys: Keys) -> None:
    async with client(plane, keys.admin_token) as admin:
        assert (await admin.post("/v1/api-keys", json={"label": "ci"})).status_code == 409
        assert (await admin.get("/v1/session")).json()["person"]["id"] == "bootstrap-owner"
        taken = {"id": "bootstrap-owner", "name": "x", "roles": ["owner"]}
        assert (await admin.post("/v1/people", json=taken)).status_code == 409


@pytest.mark.parametrize(
    ("who", "role", "status"),
    [
        ("root", "owner", 200),
        ("acme", "owner@acme", 200),
        ("acme", "viewer@acme/emea", 200),
        ("acme", "viewer", 403),
        ("acme", "viewer@globex", 403),
        ("emea", "approver@acme/emea", 200),
        ("emea", "viewer@acme", 403),
        ("emea", "viewer@acme/apac", 403),
        ("checker", "viewer@acme/emea", 403),
    ],
)
async def test_nobody_gives_more_than_is_theirs_to_give(
    plane: ControlServices, client: Client, who: str, role: str, status: int
) -> None:
    async with client(plane, "") as admin:
        assert (await added(admin, who, "zoe", role)).status_code == status


async def test_who_has_no_role_is_appointed_by_an_owner_of_the_mesh_alone(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "") as admin:
        assert (await added(admin, "acme", "zoe")).status_code == 403
        assert (await added(admin, "root", "zoe")).status_code == 200


async def test_a_tenants_people_see_and_touch_nobody_of_another(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as admin:
        for name, roles in (
            ("in-emea", ["viewer@acme/emea"]),
            ("in-apac", ["viewer@acme/apac"]),
            ("in-both", ["viewer@acme/emea", "viewer@acme/apac"]),
            ("in-all", ["viewer"]),
            ("in-none", []),
        ):
            assert (await added(admin, "root", name, *roles)).status_code == 200
        for who, visible in (
            ("emea", ["in-emea"]),
            ("checker", ["in-emea"]),
            ("acme", ["in-apac", "in-both", "in-emea"]),
            ("root", ["in-all", "in-apac", "in-both", "in-emea", "in-none"]),
        ):
            people = (await admin.get("/v1/people", headers=by(who))).json()["people"]
            assert [entry["id"] for entry in people] == visible, who
        for name in ("in-apac", "in-both", "in-all", "in-none", "nobody"):
            change = {"name": "x", "groups": [], "roles": ["viewer@acme/emea"]}
            for step in (
                admin.put(f"/v1/people/{name}", json=change, headers=by("emea")),
                admin.post(f"/v1/people/{name}/code", json={}, headers=by("emea")),
                admin.put(f"/v1/people/{name}/addresses/slack", json={"address": "U1"}, headers=by("emea")),
            ):
                answer = await step
                assert (answer.status_code, answer.json()["detail"]) == (404, "there is no such person"), name


async def test_who_is_disabled_is_out_and_that_is_a_line_of_the_change_log(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "") as admin:
        code = (await added(admin, "root", "zoe", "viewer@acme/emea")).json()["code"]
        async with browser(plane) as zoe:
            await zoe.post("/v1/password", json={"code": code, "person": "zoe", "password": PASSWORD})
            change = {"name": "Zoe", "groups": [], "roles": ["viewer@acme/emea"], "disabled": True, "note": "left"}
            assert (await admin.put("/v1/people/zoe", json=change, headers=by("emea"))).json()["disabled"] is True
            assert (await zoe.get("/v1/session")).status_code == 401
        lines = (await admin.get("/v1/changes", headers=by("root"))).json()["lines"]
        mine = (await admin.get("/v1/changes", headers=by("checker"))).json()["lines"]
    assert [(line["person"], line["action"], line["subject"], line["reason"]) for line in lines] == [
        ("root", "people:add", "zoe", "viewer@acme/emea in finance: new"),
        ("zoe", "passwords:set", "zoe", "from 127.0.0.1"),
        ("zoe", "sessions:open", "zoe", "from 127.0.0.1"),
        ("emea", "people:disable", "zoe", "left"),
    ]
    assert [line["number"] for line in mine] == [1, 4]  # what is said of the whole mesh is not the tenant's


async def test_a_page_of_the_change_log_says_where_the_next_begins(
    new_plane: Callable[..., ControlServices], client: Client
) -> None:
    plane = with_people(new_plane(people=MemoryPeople(for_tests=True)), *ADMINS)
    async with client(plane, "root") as admin:
        for number in range(3):
            await added(admin, "root", f"p{number}", "viewer")
        first = (await admin.get("/v1/changes?limit=2")).json()
        second = (await admin.get(f"/v1/changes?limit=2&after={first['after']}")).json()
    assert ([line["number"] for line in first["lines"]], first["after"]) == ([1, 2], 2)
    assert ([line["number"] for line in second["lines"]], second["after"]) == ([3], 0)


async def test_an_address_in_a_channel_is_one_persons(plane: ControlServices, client: Client) -> None:
    async with client(plane, "root") as admin:
        for name in ("zoe", "yan"):
            await added(admin, "root", name, "approver")
        assert (await admin.put("/v1/people/zoe/addresses/slack", json={"address": "U1"})).status_code == 204
        assert (await admin.put("/v1/people/yan/addresses/slack", json={"address": "U1"})).status_code == 409
        assert (await admin.put("/v1/people/yan/addresses/Slack!", json={"address": "U1"})).status_code == 400
        for address in ("U2\x1b[2J", "U2\n", " U2", "\u202eU2"):
            answer = await admin.put("/v1/people/yan/addresses/slack", json={"address": address})
            assert answer.status_code == 400, address


@pytest.mark.parametrize(
    "change",
    [
        {"id": "Zoe"},
        {"id": "zoe/x"},
        {"name": ""},
        {"roles": ["root"]},
        {"roles": ["owner@"]},
        {"groups": ["A B"]},
        {"x": 1},
    ],
    ids=str,
)
async def test_a_person_that_is_not_as_it_must_be_is_refused(
    plane: ControlServices, client: Client, change: dict[str, object]
) -> None:
    body = {"id": "zoe", "name": "Zoe", "roles": ["viewer"], "groups": [], **change}
    async with client(plane, "root") as admin:
        assert (await admin.post("/v1/people", json=body)).status_code == 400
        assert (await admin.get("/v1/people")).json()["people"] == []


async def test_who_guesses_is_told_when_to_try_again(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as anyone:
        for _ in range(5):
            await anyone.post("/v1/session", json={"person": "zoe", "password": "wrong"})
        answer = await anyone.post("/v1/session", json={"person": "zoe", "password": "wrong"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


async def test_whoever_gave_somebody_a_code_is_out_of_their_session_once_they_are_confirmed(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "") as admin:
        code = (await added(admin, "emea", "zoe", "approver@acme/emea")).json()["code"]
    async with browser(plane) as sponsor, client(plane, "") as admin:
        body = {"code": code, "person": "zoe", "password": PASSWORD}
        signed = await sponsor.post("/v1/password", json=body)
        csrf = {"x-csrf-token": signed.json()["csrf"]}
        made = await sponsor.post("/v1/api-keys", json={"label": "ci", "roles": []}, headers=csrf)
        key = made.json()["key"]
        assert (await admin.get("/v1/session", headers=by(key))).status_code == 200
        confirmed = await admin.post("/v1/people/zoe/confirm", json={"note": "met her"}, headers=by("root"))
        assert confirmed.status_code == 204
        assert (await sponsor.get("/v1/session")).status_code == 401
        assert (await admin.get("/v1/session", headers=by(key))).status_code == 401


async def test_a_password_that_the_sponsor_set_by_the_code_is_void_once_the_person_is_confirmed(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "") as admin:
        code = (await added(admin, "emea", "zoe", "approver@acme/emea")).json()["code"]
        sponsor_words = {"person": "zoe", "password": PASSWORD}
        assert (await admin.post("/v1/password", json={"code": code, **sponsor_words})).is_success
        late = (await admin.post("/v1/people/zoe/code", json={}, headers=by("emea"))).json()["code"]
        await admin.post("/v1/people/zoe/confirm", json={"note": "met her"}, headers=by("root"))
        assert (await admin.post("/v1/session", json=sponsor_words)).status_code == 401
        assert (await admin.post("/v1/password", json={"code": late, **sponsor_words})).status_code == 401
        own = (await admin.post("/v1/people/zoe/code", json={}, headers=by("root"))).json()["code"]
        words = {"person": "zoe", "password": f"{PASSWORD} of her own"}
        assert (await admin.post("/v1/password", json={"code": own, **words})).is_success
    async with client(plane, "") as zoe, client(plane, "") as admin:
        assert (await zoe.post("/v1/session", json=words)).is_success
        (listed,) = [
            entry
            for entry in (await admin.get("/v1/people", headers=by("root"))).json()["people"]
            if entry["id"] == "zoe"
        ]
        assert listed["sponsors"] == []


async def test_who_is_in_nobodys_hand_stays_signed_in_when_confirmed(plane: ControlServices, client: Client) -> None:
    async with client(plane, "") as admin:
        code = (await added(admin, "root", "zoe", "approver@acme/emea")).json()["code"]
    async with browser(plane) as zoe, client(plane, "") as admin:
        assert (await zoe.post("/v1/password", json={"code": code, "person": "zoe", "password": PASSWORD})).is_success
        await admin.post("/v1/people/zoe/confirm", json={}, headers=by("root"))
        assert (await zoe.get("/v1/session")).status_code == 200
