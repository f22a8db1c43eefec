"""Policy tests that come with a publication: they pass here, on a real OPA, or nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
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
from aegis_authz.testing.proposals import MemoryProposals
from aegis_authz.testing.releases import MemoryReleases
from tests.support.people import by, person, with_people

Documents = Callable[..., Sources]
Client = Callable[[ControlServices, str], httpx.AsyncClient]
TEST = """\
tests:
  - name: a payment of {amount}
    call: {{agent: acme/emea/finance-agent, tool: stripe-payments, action: create_payment, parameters: {{amount: {amount}}}}}
    expect: {{effect: {effect}}}
"""
PASSING = {"finance_test.yaml": TEST.format(amount=8000, effect="allow")}
FAILING = {"finance_test.yaml": TEST.format(amount=8000, effect="deny")}

pytestmark = pytest.mark.usefixtures("opa_binary")


def body(sources: Sources, tests: dict[str, str], **more: str) -> dict[str, Any]:
    return {"policies": dict(sources.policies), "tools": dict(sources.tools), "tests": tests, **more}


@pytest.fixture
def served(plane: ControlServices, documents: Documents) -> ControlServices:
    plane.publisher.start(documents)
    return plane


@pytest.fixture
def strict(
    new_plane: Callable[..., ControlServices], settings: ControlSettings, documents: Documents
) -> ControlServices:
    """A control plane that publishes nothing without tests."""
    plane = new_plane(settings=settings.model_copy(update={"publish": PublishSettings(tests="required")}))
    plane.publisher.start(documents)
    return plane


@pytest.fixture
async def guarded(
    new_plane: Callable[..., ControlServices], settings: ControlSettings, documents: Documents
) -> ControlServices:
    """A control plane on which two people publish."""
    people = MemoryPeople(for_tests=True)
    await people.add(Account(person("ann", "owner"), is_disabled=False, created=Epoch(1.0)))
    plane = new_plane(settings=settings.model_copy(update={"publish": PublishSettings(approvals=1)}), people=people)
    plane.publisher.start(documents)
    return with_people(plane, person("pia", "policy_admin"))


async def test_a_test_that_fails_refuses_the_publication_with_its_file_line_and_name(
    served: ControlServices, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    first = releases.current()
    async with client(served, "ann") as admin:
        answer = await admin.post("/v1/policies?wait=0", json=body(documents(9000), FAILING))
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    (problem,) = answer.json()["problems"]
    assert (problem["path"], problem["line"]) == ("finance_test.yaml", 4)
    assert 'the test "a payment of 8000" fails: expected effect deny; decided allow' in problem["message"]
    assert (releases.current(), len(releases.changes())) == (first, 1)


async def test_tests_that_pass_are_kept_with_their_version_and_those_sent_last_count(
    served: ControlServices, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    others = {"other_test.yaml": TEST.format(amount=9500, effect="deny")}
    async with client(served, "ann") as admin:
        for tests in (PASSING, others):
            answer = await admin.post("/v1/policies?wait=0", json=body(documents(9000), tests))
            assert answer.status_code == 200, answer.text
            assert (await admin.get(f"/v1/revisions/{releases.current()}")).json()["tests"] == tests
        await served.publisher.rebuild("control", "")
    assert releases.tests(releases.current()) == others
    assert releases.changes()[0].message == ""


async def test_a_version_whose_tests_fail_is_not_rolled_back_to(
    served: ControlServices, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    first = releases.current()
    async with client(served, "ann") as admin:
        await admin.post("/v1/policies?wait=0", json=body(documents(9000), {}))
        second = releases.current()
        releases.keep_tests(first, {"finance_test.yaml": TEST.format(amount=1, effect="deny")})
        refused = await admin.post("/v1/rollback?wait=0", json={"revision": first})
        assert (refused.status_code, releases.current()) == (422, second)
        assert 'the test "a payment of 1" fails' in refused.json()["problems"][0]["message"]
        releases.keep_tests(first, {"finance_test.yaml": TEST.format(amount=1, effect="allow")})
        done = await admin.post("/v1/rollback?wait=0", json={"revision": first})
    assert (done.status_code, releases.current()) == (200, first)
    assert "a payment of 1" in releases.tests(first)["finance_test.yaml"]


async def test_what_another_person_confirms_passes_its_tests_once_more(
    guarded: ControlServices,
    client: Client,
    documents: Documents,
    releases: MemoryReleases,
    proposals: MemoryProposals,
) -> None:
    first = releases.current()
    async with client(guarded, "ann") as ann:
        unfit = await ann.post("/v1/policies?wait=0", json=body(documents(9000), FAILING))
        assert (unfit.status_code, await proposals.waiting()) == (422, [])
        proposed = await ann.post("/v1/policies?wait=0", json=body(documents(9000), PASSING))
        assert proposed.status_code == 202
        (proposal,) = await proposals.waiting()
        path = f"/v1/proposals/{proposal.id}"
        assert (await ann.get(path)).json()["tests"] == PASSING
        await proposals.add(replace(proposal, tests=FAILING))
        other = await ann.post(f"{path}/confirm", json={"digest": proposal.digest}, headers=by("pia"))
        assert (other.status_code, "digest" in other.text) == (409, True)
        digest = (await proposals.get(proposal.id)).digest
        refused = await ann.post(f"{path}/confirm", json={"digest": digest}, headers=by("pia"))
        assert (refused.status_code, releases.current()) == (422, first)
        assert 'the test "a payment of 8000" fails' in refused.json()["problems"][0]["message"]
        await proposals.add(proposal)
        done = await ann.post(f"{path}/confirm", json={"digest": proposal.digest}, headers=by("pia"))
    assert done.status_code == 200, done.text
    assert releases.tests(releases.current()) == PASSING


async def test_where_tests_are_required_nothing_is_published_or_rolled_back_to_without(
    strict: ControlServices, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    first = releases.current()
    async with client(strict, "ann") as admin:
        without = await admin.post("/v1/policies?wait=0", json=body(documents(9000), {}))
        empty = await admin.post("/v1/policies?wait=0", json=body(documents(9000), {"a_test.yaml": ""}))
        assert (without.status_code, empty.status_code, releases.current()) == (422, 422, first)
        assert "publishes nothing without policy tests" in without.json()["detail"]
        done = await admin.post("/v1/policies?wait=0", json=body(documents(9000), PASSING))
        assert done.status_code == 200, done.text
        back = await admin.post("/v1/rollback?wait=0", json={"revision": first})
    assert back.status_code == 422
    assert releases.current() == done.json()["revision"]


async def test_a_control_plane_without_opa_refuses_only_where_tests_are_required(
    served: ControlServices,
    strict: ControlServices,
    client: Client,
    documents: Documents,
    releases: MemoryReleases,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.delenv("AEGIS_OPA_BIN", raising=False)
    for name in ("PATH", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    async with client(strict, "ann") as admin:
        refused = await admin.post("/v1/policies?wait=0", json=body(documents(9000), PASSING))
    assert refused.status_code == 503
    assert "policy tests must pass here, and the control plane cannot run them: opa: " in refused.json()["detail"]
    async with client(served, "ann") as admin:
        done = await admin.post("/v1/policies?wait=0", json=body(documents(9000), PASSING, message="more"))
    assert done.status_code == 200, done.text
    assert releases.changes()[0].message == "more (tests were not run by the control plane)"
