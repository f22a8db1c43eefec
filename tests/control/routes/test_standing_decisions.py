"""A held call, allowed like this: offered, edited, published, listed and taken back, by who may."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.config.control import ControlSettings
from aegis_authz.config.publishing import PublishSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.core.scope import Scope
from aegis_authz.testing.releases import MemoryReleases
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approvals import HELD, hold
from tests.support.people import by, person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
Documents = Callable[..., Sources]
PATH = f"/v1/approvals/{HELD}/standing"
NAME = f"standing-allow-{HELD}"
NOW = {"wait": 0}
FILE = f"standing/{NAME}.yaml"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock(), 60, for_tests=True)


@pytest.fixture
async def plane(new_plane: Callable[..., ControlServices], store: MemoryStore, documents: Documents) -> ControlServices:
    plane = new_plane(approvals=store)
    await plane.publisher.publish(asking(documents), {}, "ann", "")
    await hold(store)
    return with_people(
        plane,
        person("eva", "approver@acme/emea", groups=("finance",)),
        person("pam", "policy_admin"),
        person("sue", "owner"),
        person("zoe", "owner@acme/apac", groups=("finance",)),
    )


def asking(documents: Documents, limit: int = 9000) -> Sources:
    """The usual documents, whose rule asks above 5000."""
    usual = documents(limit=limit)
    texts = {path: f"org: acme\ntenant: emea\n{text}      approval_needed_over: 5000\n    approval: {{groups: [finance]}}\n"
             for path, text in usual.policies.items()}  # fmt: skip
    return Sources(texts, usual.tools)


async def test_what_is_offered_is_shown_saved_listed_and_taken_back(
    plane: ControlServices, client: Client, releases: MemoryReleases
) -> None:
    async with client(plane, "ann") as ann:
        offered = (await ann.get(PATH, params={"days": 3})).json()
        assert (offered["name"], offered["findings"]) == (NAME, [])
        assert "max: 7000" in offered["document"]
        saved = await ann.post(PATH, params=NOW, json={"document": offered["document"], "message": "every month"})
        assert saved.status_code == 200
        assert saved.json()["name"] == NAME
        assert releases.sources(releases.current()).policies[FILE] == offered["document"]
        (listed,) = (await ann.get("/v1/standing")).json()["standing"]
        assert (listed["name"], listed["effect"], listed["owner"]) == (NAME, "allow", "ann")
        assert (listed["agent"], listed["tool"], listed["actions"]) == (
            *("acme/emea/finance-agent", "stripe-payments"),
            ["create_payment"],
        )
        gone = await ann.post(f"/v1/standing/{NAME}/revoke", params=NOW, json={"message": "over"})
        assert gone.status_code == 200
        assert (await ann.get("/v1/standing")).json()["standing"] == []
        assert (await ann.post(f"/v1/standing/{NAME}/revoke", params=NOW, json={})).status_code == 409
    assert FILE not in releases.sources(releases.current()).policies


async def test_what_is_for_the_session_of_the_call_says_so_where_it_is_listed(
    plane: ControlServices, client: Client, store: MemoryStore
) -> None:
    name = f"{HELD[:-1]}0"
    await hold(store, name, jti="j2", session="task-4711")
    async with client(plane, "ann") as ann:
        refused = await ann.get(PATH, params={"for_session": True})
        assert (refused.status_code, "belongs to no session" in refused.text) == (409, True)
        path = f"/v1/approvals/{name}/standing"
        text = (await ann.get(path, params={"for_session": True})).json()["document"]
        assert "session:\n        equals: task-4711" in text
        assert (await ann.post(path, params=NOW, json={"document": text})).status_code == 200
        (listed,) = (await ann.get("/v1/standing")).json()["standing"]
        assert listed["session"] == "task-4711"
        page = await ann.get(f"/approvals/{name}")
        assert f"/approvals/{name}/standing?days=1&amp;for_session=true" in page.text
        assert "for_session" not in (await ann.get(f"/approvals/{HELD}")).text
        offered = await ann.get(f"/approvals/{name}/standing", params={"for_session": True})
        assert "equals: task-4711" in offered.text


async def test_a_standing_decision_outlives_publications_and_no_rollback_brings_one_back(
    plane: ControlServices, client: Client, releases: MemoryReleases, documents: Documents
) -> None:
    before = releases.current()
    async with client(plane, "ann") as ann:
        text = (await ann.get(PATH)).json()["document"]
        await ann.post(PATH, params=NOW, json={"document": text})
        standing = releases.current()
        await plane.publisher.publish(asking(documents, limit=8000), {}, "ann", "")
        assert FILE in releases.sources(releases.current()).policies
        await plane.publisher.rollback(before, "ann", "")
        assert FILE in releases.sources(releases.current()).policies
        await ann.post(f"/v1/standing/{NAME}/revoke", params=NOW, json={})
        await plane.publisher.rollback(standing, "ann", "")
    assert FILE not in releases.sources(releases.current()).policies


async def test_no_policy_test_is_about_a_standing_decision(
    new_plane: Callable[..., ControlServices],
    settings: ControlSettings,
    store: MemoryStore,
    documents: Documents,
    client: Client,
    releases: MemoryReleases,
) -> None:
    plane = new_plane(
        approvals=store, settings=settings.model_copy(update={"publish": PublishSettings(tests="required")})
    )
    plane.publisher.start(lambda: asking(documents))
    await hold(store)
    releases.keep_tests(releases.current(), {"a_test.yaml": "tests: [that would be refused]"})
    async with client(plane, "ann") as ann:
        saved = await ann.post(PATH, params=NOW, json={"document": (await ann.get(PATH)).json()["document"]})
    assert saved.status_code == 200, saved.text
    assert releases.tests(releases.current()) == {"a_test.yaml": "tests: [that would be refused]"}


async def test_no_publication_puts_a_document_where_standing_decisions_are(
    plane: ControlServices, client: Client, documents: Documents
) -> None:
    usual = asking(documents)
    policies = {**usual.policies, "standing/mine.yaml": "org: acme\nagent: other\n"}
    async with client(plane, "ann") as ann:
        refused = await ann.post("/v1/policies", json={"policies": policies, "tools": dict(usual.tools)})
    assert refused.status_code == 422
    assert "standing/ is for standing decisions" in refused.text


@pytest.mark.parametrize(
    ("name", "offered", "saved"),
    [
        ("eva", 200, 403),  # decides, and does not publish
        ("pam", 403, 404),  # publishes, and sees no approvals
        ("sue", 403, 403),  # publishes and decides, and is of none of the groups
        ("zoe", 404, 403),  # of another tenant
    ],
)
async def test_only_who_may_decide_the_call_and_publish_policy_saves(
    plane: ControlServices, client: Client, releases: MemoryReleases, name: str, offered: int, saved: int
) -> None:
    current = releases.current()
    async with client(plane, "ann") as ann:
        text = (await ann.get(PATH)).json()["document"]
    async with client(plane, name) as somebody:
        assert (await somebody.get(PATH)).status_code == offered
        assert (await somebody.post(PATH, params=NOW, json={"document": text})).status_code == saved
        if name != "pam":
            assert all(
                entry["agent"].startswith("acme/emea/") or name == "zoe"
                for entry in (await somebody.get("/v1/standing")).json()["standing"]
            )
    assert releases.current() == current


async def test_who_is_of_another_tenant_does_not_see_what_stands(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as ann:
        await ann.post(PATH, params=NOW, json={"document": (await ann.get(PATH)).json()["document"]})
    async with client(plane, "zoe") as zoe:
        assert (await zoe.get("/v1/standing")).json()["standing"] == []
    async with client(plane, "eva") as eva:
        assert len((await eva.get("/v1/standing")).json()["standing"]) == 1


@pytest.mark.parametrize(
    ("edit", "status"),
    [
        (lambda text: text.replace("max: 7000", "max: 8000"), 200),
        (lambda text: text.replace("agent: finance-agent", "agent: other"), 409),
        (lambda text: f"{text}---\nagents:\n  acme/emea/evil: {{owner: eve}}\n", 409),
        (lambda text: f"{text}---\ndefine: {{lists: {{a: [b]}}}}\n", 409),
        (lambda text: text.replace("create_payment", "refund"), 422),
        (lambda text: "not: a document\n", 422),
        (lambda text: f"{text}# {chr(233) * 40_000}\n", 409),
    ],
)
async def test_an_edited_document_is_checked_before_anything_is_published(
    plane: ControlServices, client: Client, releases: MemoryReleases, edit: Callable[[str], str], status: int
) -> None:
    current = releases.current()
    async with client(plane, "ann") as ann:
        text = edit((await ann.get(PATH)).json()["document"])
        answer = await ann.post(PATH, params=NOW, json={"document": text})
    assert answer.status_code == status, answer.text
    assert (releases.current() == current) == (status != 200)


async def test_what_asks_for_several_people_is_not_offered(
    new_plane: Callable[..., ControlServices], store: MemoryStore, documents: Documents, client: Client
) -> None:
    plane = new_plane(approvals=store)
    await plane.publisher.publish(asking(documents), {}, "ann", "")
    await hold(store, approvals=2)
    async with client(plane, "ann") as ann:
        refused = await ann.get(PATH)
        page = await ann.get(f"/approvals/{HELD}/standing")
    assert (refused.status_code, page.status_code) == (409, 409)
    assert "several people" in refused.json()["detail"]
    assert "several people" in page.text
    assert "<textarea" not in page.text


async def test_what_may_be_allowed_may_be_refused_like_this(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as ann:
        offered = (await ann.get(PATH, params={"effect": "deny"})).json()
        saved = await ann.post(PATH, params={**NOW, "effect": "deny"}, json={"document": offered["document"]})
        (listed,) = (await ann.get("/v1/standing")).json()["standing"]
    assert saved.status_code == 200
    assert (listed["effect"], listed["name"]) == ("deny", f"standing-deny-{HELD}")


async def test_on_the_page_the_document_is_read_edited_and_saved(
    plane: ControlServices, client: Client, releases: MemoryReleases
) -> None:
    async with client(plane, "ann") as ann:
        assert f'href="/approvals/{HELD}/standing"' in (await ann.get(f"/approvals/{HELD}")).text
        page = (await ann.get(f"/approvals/{HELD}/standing")).text
        (seal,) = re.findall(r'name="seal" value="([0-9a-f]{64})"', page)
        (shown,) = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
        text = html.unescape(shown)
        form = {"seal": seal, "effect": "allow", "note": "every month"}
        path = f"/approvals/{HELD}/standing"
        wrong = await ann.post(path, params=NOW, data={**form, "document": text.replace("max: 7000", "max: <b>")})
        assert wrong.status_code == 409
        assert "max: &lt;b&gt;" in wrong.text
        unsealed = await ann.post(path, params=NOW, data={**form, "seal": "", "document": text})
        assert unsealed.status_code == 403
        saved = await ann.post(path, params=NOW, data={**form, "document": text.replace("\n", "\r\n")})
    assert saved.status_code == 200
    assert releases.sources(releases.current()).policies[FILE] == text


@pytest.mark.parametrize(("size", "status"), [(63 * 1024, 200), (65 * 1024, 409), (450 * 1024, 413)])
async def test_a_form_takes_the_largest_document_there_may_be_and_no_larger_one(
    plane: ControlServices, client: Client, size: int, status: int
) -> None:
    async with client(plane, "ann") as ann:
        path = f"/approvals/{HELD}/standing"
        page = (await ann.get(path)).text
        (seal,) = re.findall(r'name="seal" value="([0-9a-f]{64})"', page)
        (shown,) = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
        text = html.unescape(shown)
        text += "#\r\n" * ((size - len(text)) // 2)  # a browser sends both, and two bytes are kept
        answer = await ann.post(path, params=NOW, data={"seal": seal, "effect": "allow", "document": text})
    assert answer.status_code == status


async def test_another_tenants_approval_has_no_page_of_this_kind(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    other = f"apr_{7:034x}"
    await hold(store, other, jti="j7", agent=Scope("acme", "apac", "bot"))
    async with client(plane, "eva") as eva:
        page = await eva.get(f"/approvals/{other}/standing", headers=by("eva"))
    assert page.status_code == 404
