"""The access request endpoint of OpenID AuthZEN: the profile's examples, and what it refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices
from aegis_authz.control.approvals.callbacks import ENDINGS, CallbackServices
from aegis_authz.core.callback import Callback
from aegis_authz.core.release import Sources
from aegis_authz.core.scope import Scope
from aegis_authz.ports.notices import ChannelFault
from aegis_authz.testing.callbacks import MemoryCallbacks
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approvals import AGENT, HELD, hold
from tests.support.people import by, person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
CASES = yaml.safe_load((Path(__file__).parent / "access_request_cases.yaml").read_text("utf-8"))
PATH = "/access/v1/requests"
ENDPOINT = "https://agents.example.com/callbacks/access-requests"
ERROR = "urn:openid:authzen:access-request:error:"
SUBMISSION = {
    "subject": {"type": "agent", "id": str(AGENT)},
    "resource": {"type": "tool", "id": "stripe-payments"},
    "action": {"name": "create_payment", "properties": {"amount": 7000}},
    "denial": {"evaluation_id": HELD, "expires_at": "2026-04-30T20:25:00Z"},
}


class Unreachable:
    """Endpoints that cannot be reached."""

    async def send(self, callback: Callback, content: bytes) -> None:
        raise ChannelFault("cannot be reached", is_final=False)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock(), 60, for_tests=True)


@pytest.fixture
def kept() -> MemoryPeople:
    return MemoryPeople(for_tests=True)


@pytest.fixture
def callbacks() -> MemoryCallbacks:
    return MemoryCallbacks(for_tests=True)


@pytest.fixture
def plane(
    new_plane: Callable[..., ControlServices], store: MemoryStore, kept: MemoryPeople, callbacks: MemoryCallbacks
) -> ControlServices:
    services = CallbackServices(callbacks, Unreachable(), {ENDPOINT: frozenset({"pep"})})
    plane = new_plane(approvals=store, people=kept, callbacks=services)
    return with_people(plane, person("pep", "auditor@acme/emea"), person("far", "auditor@acme/apac"))


def changed(at: str, value: object) -> dict[str, Any]:
    """The submission, with another value at a place (`a/b`)."""
    body: dict[str, Any] = copy.deepcopy(SUBMISSION)
    *path, last = at.split("/")
    place = body
    for name in path:
        place = place.setdefault(name, {})
    place[last] = value
    return body


def is_like(pattern: object, value: object) -> bool:
    """Whether it is the answer that a case wants, where "..." stands for any text."""
    if isinstance(pattern, dict) and isinstance(value, dict):
        return pattern.keys() == value.keys() and all(is_like(pattern[name], value[name]) for name in pattern)
    if isinstance(pattern, list) and isinstance(value, list):
        return len(pattern) == len(value) and all(map(is_like, pattern, value))
    if isinstance(pattern, str) and isinstance(value, str) and pattern.endswith("..."):
        return value.startswith(pattern.removesuffix("..."))
    return pattern == value


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
async def test_the_examples_of_the_profile_are_answered(
    plane: ControlServices, store: MemoryStore, client: Client, case: dict[str, Any]
) -> None:
    async with client(plane, "pep") as pep:
        for number, call in enumerate(case["calls"]):
            actors, parameters = tuple(call.get("actors", ())), call.get("parameters")
            await hold(store, call["id"], jti=f"j{number}", actors=actors, parameters=parameters)
            if "decision" in call:
                path = f"/v1/approvals/{call['id']}/{call['decision']}"
                assert (await pep.post(path, json={"note": "why"}, headers=by("ann"))).status_code == 200
        answer = await pep.post(PATH, json=case["submit"])
        assert answer.status_code == case["status"], answer.text
        assert is_like(case["answer"], answer.json()), answer.text
        if answer.status_code < 300:
            endpoint = answer.json()["task"]["status_endpoint"]
            assert answer.headers["location"] == endpoint
            assert (await pep.get(endpoint.removeprefix("http://127.0.0.1:7000"))).json() == answer.json()
        else:
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_task_says_what_became_of_the_call(plane: ControlServices, store: MemoryStore, client: Client) -> None:
    await hold(store)
    async with client(plane, "pep") as pep:
        pending = await pep.post(PATH, json=SUBMISSION)
        path = f"{PATH}/{pending.json()['task']['id']}"
        polled = await pep.get(path)
        assert (polled.json(), polled.headers["retry-after"]) == (pending.json(), "2")
        approved = (await pep.post(f"/v1/approvals/{HELD}/approve", json={}, headers=by("ann"))).json()
        done = await pep.get(path)
        assert "retry-after" not in done.headers
        reference = done.json()["result"]["approval"]
        assert (done.json()["task"]["status"], reference["id"]) == ("approved", HELD)
        assert approved["override_token"] not in done.text
        await pep.post(f"/v1/approvals/{HELD}/cancel", json={}, headers=by("ann"))
        after = (await pep.get(path)).json()
    assert (after["task"]["status"], "result" in after) == ("cancelled", False)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ("subject/type", "user"),
        ("subject/id", "acme/emea/other-agent"),
        ("subject/properties", {"org": "acme"}),
        ("resource/type", "document"),
        ("resource/id", "stripe-refunds"),
        ("resource/properties", {"a": 1}),
        ("action/name", "create_refund"),
        ("action/properties", {}),
        ("action/properties", {"amount": 7001}),
        ("action/properties", {"amount": "7000"}),
        ("action/properties", {"amount": 7000, "payee": "ACME"}),
        ("denial/evaluation_id", "apr_0a" + "f" * 32),
        ("denial/evaluation_id", "../../healthz"),
        ("denial", {"expires_at": "2026-04-30T20:25:00Z"}),
        ("denial/binding_token", ""),
        ("client/actor", {"id": "somebody"}),
        ("subject/properties/act", {"sub": "somebody"}),
        ("subject/properties/act", "somebody"),
        ("subject/properties/act", None),
    ],
    ids=str,
)
async def test_what_is_not_about_the_very_call_is_refused_and_leaves_nothing(
    plane: ControlServices, store: MemoryStore, kept: MemoryPeople, client: Client, at: str, value: object
) -> None:
    await hold(store)
    async with client(plane, "pep") as pep:
        headers = {"idempotency-key": "k1"}
        refused = await pep.post(PATH, json=changed(at, value), headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (400, f"{ERROR}invalid_denial_binding"), refused.text
        assert await kept.lines(0, 9) == []
        assert (await pep.post(PATH, json=SUBMISSION, headers=headers)).status_code == 202


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ("denial/expires_at", "tomorrow"),
        ("denial/expires_at", "2026-02-30T20:25:00Z"),
        ("denial/expires_at", "2026-04-30T20:25:00"),
        ("denial/extra", 1),
        ("items", []),
        ("items", [{"resource": SUBMISSION["resource"], "action": SUBMISSION["action"]}]),
        ("resource", None),
        ("subject", None),
        ("action/properties", None),
    ],
    ids=str,
)
async def test_what_is_no_access_request_is_refused(
    plane: ControlServices, store: MemoryStore, client: Client, at: str, value: object
) -> None:
    await hold(store)
    async with client(plane, "pep") as pep:
        assert (await pep.post(PATH, json=changed(at, value))).status_code == 400


async def test_a_call_of_another_tenant_is_as_one_that_is_not(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store)
    async with client(plane, "far") as far:
        refused = await far.post(PATH, json=SUBMISSION)
        unknown = await far.post(PATH, json=changed("denial/evaluation_id", "apr_0a" + "f" * 32))
        assert (refused.status_code, refused.json()) == (400, unknown.json())
        hidden = [await far.get(f"{PATH}/{name}") for name in (HELD, "apr_0a" + "f" * 32, "nothing", f"bundle.{HELD}")]
    assert {(answer.status_code, answer.text) for answer in hidden} == {(404, hidden[0].text)}
    assert hidden[0].json()["type"] == f"{ERROR}unknown_task"


@pytest.mark.parametrize("task", ["bundle", "bundle.", f"bundle.{HELD}.", "bundle" + f".{HELD}" * 21, f"{HELD}.{HELD}"])
async def test_what_names_no_task_is_unknown(
    plane: ControlServices, store: MemoryStore, client: Client, task: str
) -> None:
    await hold(store)
    async with client(plane, "pep") as pep:
        answer = await pep.get(f"{PATH}/{task}")
    assert answer.json()["type"] == f"{ERROR}unknown_task"


async def test_a_call_whose_time_is_over_cannot_be_asked_for(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store, age=900)
    async with client(plane, "pep") as pep:
        refused = await pep.post(PATH, json=changed("denial/expires_at", "2099-01-01T00:00:00Z"))
        assert (refused.status_code, refused.json()["type"]) == (410, f"{ERROR}expired_denial")
        assert (await pep.get(f"{PATH}/{HELD}")).json()["task"]["status"] == "expired"


async def test_a_call_that_would_be_judged_otherwise_now_cannot_be_asked_for(
    plane: ControlServices, store: MemoryStore, client: Client, documents: Callable[..., Sources]
) -> None:
    plane.publisher.start(documents)
    await hold(store, basis="of other documents")
    async with client(plane, "pep") as pep:
        refused = await pep.post(PATH, json=SUBMISSION)
        assert (refused.status_code, refused.json()["type"]) == (400, f"{ERROR}not_requestable")
        assert (await pep.get(f"{PATH}/{HELD}")).json()["task"]["status"] == "cancelled"


async def test_a_key_is_for_one_body_of_one_person(plane: ControlServices, store: MemoryStore, client: Client) -> None:
    await hold(store)
    headers, more = {"idempotency-key": "7b8d0f0d"}, changed("context", {"business_justification": "more"})
    turned = dict(reversed(SUBMISSION.items()))
    async with client(plane, "pep") as pep:
        first = await pep.post(PATH, json=SUBMISSION, headers=headers)
        again = await pep.post(PATH, json=turned, headers=headers)
        assert (again.status_code, again.json()) == (202, first.json())
        refused = await pep.post(PATH, json=more, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (409, f"{ERROR}duplicate_request")
        assert (await pep.post(PATH, json=more, headers={**headers, **by("ann")})).status_code == 202
        assert (await pep.post(PATH, json=more)).status_code == 202


async def test_the_actors_are_those_of_the_agents_token(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store, actors=("near", "far"))
    chain = {"sub": "near", "act": {"sub": "far"}}
    async with client(plane, "pep") as pep:

        async def status(body: dict[str, Any]) -> int:
            return (await pep.post(PATH, json=body)).status_code

        assert await status(SUBMISSION) == 202
        assert await status(changed("subject/properties", {"act": chain})) == 202
        assert await status(changed("client/actor", {"id": "near", "act": {"sub": "far"}})) == 202
        assert await status(changed("client/actor", {"id": "near"})) == 400
        assert await status(changed("client/actor", {"id": "far", "act": {"sub": "near"}})) == 400
        assert (
            await status(changed("client/actor", {"id": "near", "act": {**chain["act"], "act": {"sub": "x"}}})) == 400
        )
        assert await status(changed("subject/properties", {"act": {**chain, "iss": "https://issuer.example"}})) == 400


async def test_each_call_that_is_asked_for_is_a_line_of_its_tenants_change_log(
    plane: ControlServices, store: MemoryStore, kept: MemoryPeople, client: Client
) -> None:
    await hold(store)
    async with client(plane, "pep") as pep:
        await pep.post(PATH, json=changed("context", {"business_justification": "the invoice\nis due"}))
    acts = [line.act for line in await kept.lines(0, 9)]
    assert [(act.person, act.action, act.subject, act.domain, act.reason) for act in acts] == [
        ("pep", "approvals:request", HELD, "acme/emea", "the invoice?is due")
    ]


async def test_who_may_decide_is_led_to_the_page_and_told_how_many_must(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await hold(store, approvals=2)
    async with client(plane, "pep") as pep:
        task = (await pep.get(f"{PATH}/{HELD}")).json()["task"]
        assert (task["progress"], "links" in task) == ({"current_step": 1, "total_steps": 2}, False)
        await pep.post(f"/v1/approvals/{HELD}/approve", json={}, headers=by("ann"))
        assert (await pep.get(f"{PATH}/{HELD}")).json()["task"]["progress"]["current_step"] == 2
        task = (await pep.get(f"{PATH}/{HELD}", headers=by("bob"))).json()["task"]
    assert task["links"] == {"review": f"http://127.0.0.1:7000/approvals/{HELD}"}


async def test_a_bundle_is_shown_to_who_may_see_all_of_it_alone(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    elsewhere = "apr_0b" + "1" * 32
    await hold(store)
    await hold(store, elsewhere, jti="j2", agent=Scope("acme", "apac", "bot"))
    async with client(plane, "pep") as pep:
        assert (await pep.get(f"{PATH}/bundle.{HELD}")).status_code == 200
        assert (await pep.get(f"{PATH}/bundle.{HELD}.{elsewhere}")).status_code == 404
        assert (await pep.get(f"{PATH}/bundle.{HELD}.{elsewhere}", headers=by("ann"))).status_code == 200


async def test_a_callback_is_kept_of_what_is_pending_alone(
    plane: ControlServices, store: MemoryStore, callbacks: MemoryCallbacks, client: Client
) -> None:
    await hold(store)
    wanted = {"endpoint": ENDPOINT, "state": "s", "events": ["approved", "failed", "renamed"], "later": 1}
    async with client(plane, "pep") as pep:
        assert (await pep.post(PATH, json=changed("callback", wanted))).status_code == 202
        (kept,) = await callbacks.watching()
        assert (kept.task_id, kept.person, kept.echo, kept.events) == (HELD, "pep", "s", {"approved"})
        assert (await pep.post(PATH, json=changed("callback", {"endpoint": ENDPOINT}))).status_code == 202
        (kept,) = await callbacks.watching()
        assert (kept.echo, kept.events) == (None, ENDINGS)
        await callbacks.dismiss(kept, 1.0)
        await pep.post(f"/v1/approvals/{HELD}/approve", json={}, headers=by("ann"))
        assert (await pep.post(PATH, json=changed("callback", wanted))).status_code == 201
    assert await callbacks.watching() == []


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"endpoint": "https://agents.example.com/callbacks/access-requests/"},
        {"endpoint": "https://agents.example.com/callbacks/access-requests?x=1"},
        {"endpoint": "HTTPS://agents.example.com/callbacks/access-requests"},
        {"endpoint": "http://127.0.0.1:6379/"},
        {"endpoint": ENDPOINT, "state": 1},
        {"endpoint": ENDPOINT, "state": "s" * 2049},
        {"endpoint": ENDPOINT, "events": "approved"},
    ],
    ids=str,
)
async def test_a_callback_that_the_settings_do_not_name_is_refused_and_leaves_nothing(
    plane: ControlServices,
    store: MemoryStore,
    kept: MemoryPeople,
    callbacks: MemoryCallbacks,
    client: Client,
    wanted: Any,
) -> None:
    await hold(store)
    async with client(plane, "pep") as pep:
        assert (await pep.post(PATH, json=changed("callback", wanted))).status_code == 400
        of_another = await pep.post(PATH, json=changed("callback", {"endpoint": ENDPOINT}), headers=by("ann"))
    assert (of_another.status_code, of_another.json()["detail"].partition(":")[0]) == (400, "callback.endpoint")
    assert (await callbacks.watching(), await kept.lines(0, 9)) == ([], [])
