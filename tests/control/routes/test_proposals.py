"""Publishing by two people: what waits, who may confirm it, and what is confirmed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from aegis_authz.config.control import ControlSettings
from aegis_authz.config.publishing import PublishSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Epoch
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.releases import MemoryReleases
from tests.support.people import by, person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
Documents = Callable[..., Sources]
POLICY = """\
agent: "{agent}"
org: "{org}"
tenant: "{tenant}"
allowed_tools:
  - {{name: stripe-payments, actions: [create_payment]}}
"""


def document(org: str, tenant: str = "emea", agent: str = "bot") -> str:
    return POLICY.format(org=org, tenant=tenant, agent=agent)


def body(sources: Sources, **more: str) -> dict[str, object]:
    return {"policies": dict(sources.policies), "tools": dict(sources.tools), **more}


def with_policies(sources: Sources, **texts: str) -> Sources:
    added = {f"{name}.yaml": text for name, text in texts.items()}
    return Sources({**sources.policies, **added}, sources.tools)


@pytest.fixture
async def kept() -> MemoryPeople:
    people = MemoryPeople(for_tests=True)
    await people.add(Account(person("ann", "owner"), is_disabled=False, created=Epoch(1.0)))
    return people


@pytest.fixture
def new_guarded(
    new_plane: Callable[..., ControlServices], settings: ControlSettings, documents: Documents, kept: MemoryPeople
) -> Callable[..., ControlServices]:
    def guarded(*scopes: str) -> ControlServices:
        publish = PublishSettings(approvals=1, scopes=scopes)
        plane = new_plane(settings=settings.model_copy(update={"publish": publish}), people=kept)
        plane.publisher.start(documents)
        return with_people(plane, person("vic", "viewer"), person("pia", "policy_admin"))

    return guarded


async def proposed(client: httpx.AsyncClient, sources: Sources, **more: str) -> dict[str, Any]:
    answer = await client.post("/v1/policies?wait=0", json=body(sources, **more))
    assert answer.status_code == 202, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def test_what_one_person_publishes_waits_and_another_publishes_it(
    new_guarded: Callable[..., ControlServices],
    client: Client,
    documents: Documents,
    releases: MemoryReleases,
    kept: MemoryPeople,
) -> None:
    before = releases.current()
    async with client(new_guarded("*"), "ann") as ann:
        before = releases.current()
        proposal = await proposed(ann, documents(9000), message="more")
        assert releases.current() == before
        assert (proposal["by"], proposal["policies"]["changed"], proposal["base"]) == ("ann", ["finance.yaml"], before)
        listed = (await ann.get("/v1/proposals")).json()["proposals"]
        whole = (await ann.get(f"/v1/proposals/{proposal['id']}")).json()
        assert listed == [whole["proposal"]] == [proposal]
        assert whole["after"]["policies"] == dict(documents(9000).policies)
        path, digest = f"/v1/proposals/{proposal['id']}/confirm", {"digest": proposal["digest"]}
        done = await ann.post(path, json=digest, headers=by("pia"))
        assert done.status_code == 200, done.text
        assert done.json()["revision"] == releases.current() != before
        assert (await ann.get("/v1/proposals")).json()["proposals"] == []
        again = await ann.post(path, json=digest, headers=by("pia"))
    assert (again.status_code, again.json()["detail"]) == (409, "the proposal is published already, by pia")
    change = releases.changes()[0]
    assert (change.by, change.message) == ("ann", "more (confirmed by pia)")
    assert dict(releases.sources(releases.current()).policies) == dict(documents(9000).policies)
    acts = [(line.act.person, line.act.action) for line in await kept.lines(0, 99)]
    assert ("pia", "policies:confirm_proposal") in acts
    assert ("ann", "policies:publish") in acts


async def test_nobody_is_their_own_second_person(
    new_guarded: Callable[..., ControlServices],
    client: Client,
    documents: Documents,
    releases: MemoryReleases,
    keys: Any,
    kept: MemoryPeople,
) -> None:
    async with client(new_guarded("*"), "ann") as ann:
        before = releases.current()
        proposal = await proposed(ann, documents(9000))
        path, digest = f"/v1/proposals/{proposal['id']}/confirm", {"digest": proposal["digest"]}
        own = await ann.post(path, json=digest)
        admin = await ann.post(path, json=digest, headers=by(keys.admin_token))
        viewer = await ann.post(path, json=digest, headers=by("vic"))
    assert (own.status_code, admin.status_code, viewer.status_code) == (403, 403, 403)
    assert "ann proposed it" in own.json()["detail"]
    assert "admin token" in admin.json()["detail"]
    assert releases.current() == before


@pytest.mark.parametrize(("role", "is_disabled"), [("owner", True), ("viewer", False), ("policy_admin@acme", False)])
async def test_what_somebody_proposed_who_may_publish_no_more_is_the_word_of_one_person(
    new_guarded: Callable[..., ControlServices],
    client: Client,
    documents: Documents,
    releases: MemoryReleases,
    kept: MemoryPeople,
    role: str,
    is_disabled: bool,
) -> None:
    async with client(new_guarded("*"), "ann") as ann:
        before = releases.current()
        proposal = await proposed(ann, documents(9000))
        await kept.replace(Account(person("ann", role), is_disabled=is_disabled, created=Epoch(1.0)))
        path, digest = f"/v1/proposals/{proposal['id']}/confirm", {"digest": proposal["digest"]}
        refused = await ann.post(path, json=digest, headers=by("pia"))
        assert (refused.status_code, releases.current()) == (403, before)
        assert "ann may publish no more" in refused.json()["detail"]


async def test_what_is_confirmed_is_what_was_looked_at(
    new_guarded: Callable[..., ControlServices], client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    async with client(new_guarded("*"), "ann") as ann:
        before = releases.current()
        proposal, other = await proposed(ann, documents(9000)), await proposed(ann, documents(50))
        path = f"/v1/proposals/{proposal['id']}/confirm"
        wrong = await ann.post(path, json={"digest": other["digest"]}, headers=by("pia"))
        assert (wrong.status_code, releases.current()) == (409, before)
        missing = await ann.post("/v1/proposals/pub_0/confirm", json={"digest": "x"}, headers=by("pia"))
    assert missing.status_code == 404


async def test_a_proposal_in_place_of_other_documents_is_over_and_one_of_another_signature_is_not(
    new_guarded: Callable[..., ControlServices], client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    plane = new_guarded("*")
    async with client(plane, "ann") as ann:
        first, second = await proposed(ann, documents(9000)), await proposed(ann, documents(50))
        await plane.publisher.rebuild("control", "")
        for proposal, status in ((first, 200), (second, 409)):
            path = f"/v1/proposals/{proposal['id']}/confirm"
            answer = await ann.post(path, json={"digest": proposal["digest"]}, headers=by("pia"))
            assert answer.status_code == status, answer.text
    assert "propose it again" in answer.json()["detail"]
    assert dict(releases.sources(releases.current()).policies) == dict(documents(9000).policies)


async def test_a_rollback_waits_like_any_other_publication(
    new_guarded: Callable[..., ControlServices], client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    async with client(new_guarded("*"), "ann") as ann:
        first = releases.current()
        proposal = await proposed(ann, documents(9000))
        path = f"/v1/proposals/{proposal['id']}/confirm"
        await ann.post(path, json={"digest": proposal["digest"]}, headers=by("pia"))
        back = await ann.post("/v1/rollback?wait=0", json={"revision": first})
        assert (back.status_code, back.json()["kind"]) == (202, "rolled_back")
        assert releases.current() != first
        withdrawn = await ann.post(f"/v1/proposals/{back.json()['id']}/withdraw", json={"note": "no"})
        assert withdrawn.json()["state"] == "withdrawn"
        late = await ann.post(
            f"/v1/proposals/{back.json()['id']}/confirm", json={"digest": back.json()["digest"]}, headers=by("pia")
        )
    assert late.status_code == 409
    assert releases.current() != first


@pytest.mark.parametrize(
    ("texts", "status"),
    [
        ({"a": document("globex")}, 202),
        ({"a": document("globex", "apac")}, 202),
        ({"a": document("*", "*", "*")}, 202),
        ({"a": document("acme")}, 200),
        ({"a": document("initech", "emea")}, 200),
        ({"a": document("acme") + "---\ndefine:\n  lists: {hosts: [a.example]}\n"}, 202),
        ({"a": document("acme"), "b": document("globex")}, 202),
    ],
)
async def test_only_what_touches_a_scope_that_asks_for_it_waits(
    new_guarded: Callable[..., ControlServices],
    client: Client,
    documents: Documents,
    texts: dict[str, str],
    status: int,
) -> None:
    async with client(new_guarded("globex"), "ann") as ann:
        answer = await ann.post("/v1/policies?wait=0", json=body(with_policies(documents(), **texts)))
    assert answer.status_code == status, answer.text


async def test_a_tool_touches_every_scope_and_what_changes_nothing_waits_for_nobody(
    new_guarded: Callable[..., ControlServices], client: Client, documents: Documents
) -> None:
    async with client(new_guarded("globex/emea"), "ann") as ann:
        same = await ann.post("/v1/policies?wait=0", json=body(documents()))
        tools = await ann.post("/v1/policies?wait=0", json=body(documents(host="pay.example")))
    assert (same.status_code, tools.status_code) == (200, 202)


async def test_a_document_that_goes_is_a_change_of_its_scope(
    new_guarded: Callable[..., ControlServices], client: Client, documents: Documents
) -> None:
    async with client(new_guarded("globex"), "ann") as ann:
        proposal = await proposed(ann, with_policies(documents(), a=document("globex")))
        path = f"/v1/proposals/{proposal['id']}/confirm"
        assert (await ann.post(path, json={"digest": proposal["digest"]}, headers=by("pia"))).status_code == 200
        gone = await proposed(ann, documents())
    assert gone["policies"]["removed"] == ["a.yaml"]
