"""Publications that wait for a second person, read and decided in a browser."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from aegis_authz.config.control import ControlSettings
from aegis_authz.config.publishing import PublishSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.core.proposal import ProposalWaits
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Epoch
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.releases import MemoryReleases
from tests.control.routes.test_policy_edit_pages import EDIT, fields
from tests.support.pages import sealed, text_of
from tests.support.people import person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
Documents = Callable[..., Sources]


@pytest.fixture
async def plane(
    new_plane: Callable[..., ControlServices], settings: ControlSettings, documents: Documents
) -> ControlServices:
    people, pam = MemoryPeople(for_tests=True), person("pam", "policy_admin")
    await people.add(Account(pam, is_disabled=False, created=Epoch(1.0)))
    plane = new_plane(settings=settings.model_copy(update={"publish": PublishSettings(approvals=1)}), people=people)
    plane.publisher.start(documents)
    return with_people(plane, pam, person("eva", "policy_admin"), person("vic", "viewer"))


@pytest.fixture
async def proposal(plane: ControlServices, documents: Documents) -> str:
    """What pam proposed."""
    with pytest.raises(ProposalWaits) as waits:
        await plane.publisher.publish(documents(7000), {}, "pam", "raise <b>it</b>")
    return waits.value.proposal.id


async def test_what_waits_is_listed_and_shown_with_what_it_changes(
    plane: ControlServices, client: Client, proposal: str
) -> None:
    async with client(plane, "vic") as vic:
        listing = await vic.get("/policies")
        page = await vic.get(f"/policies/proposals/{proposal}")
        unknown = await vic.get("/policies/proposals/pub_0000")
    assert f'href="/policies/proposals/{proposal}"' in listing.text
    assert "amount max 5000 -> amount max 7000" in text_of(page)
    assert "raise &lt;b&gt;it" in page.text
    assert "Confirm and publish" not in page.text
    assert unknown.status_code == 404


async def test_another_person_confirms_it_and_the_change_log_has_it_once(
    plane: ControlServices, client: Client, proposal: str, releases: MemoryReleases, documents: Documents
) -> None:
    path = f"/policies/proposals/{proposal}"
    async with client(plane, "eva") as eva:
        page = await eva.get(path)
        digest = page.text.split('name="digest" value="')[1].split('"')[0]
        form = {"seal": sealed(page, f"{path}/confirm"), "digest": digest, "note": "looked at"}
        other = await eva.post(f"{path}/confirm", data={**form, "digest": "0" * 64})
        done = await eva.post(f"{path}/confirm", data=form)
        again = await eva.post(f"{path}/confirm", data=form)
    assert (other.status_code, "look at it again" in text_of(other)) == (409, True)
    assert (done.status_code, done.headers["location"]) == (303, f"/policies/{releases.current()}")
    assert releases.sources(releases.current()) == documents(7000)
    assert (again.status_code, "published already" in text_of(again)) == (409, True)
    lines = [line.act for line in await plane.people.changes.lines(0, 20) if line.act.action == "policies:version"]
    assert [(act.person, act.reason) for act in lines] == [("eva", "looked at")]


async def test_who_proposed_it_cannot_confirm_but_withdraws_it(
    plane: ControlServices, client: Client, proposal: str, releases: MemoryReleases
) -> None:
    path, served = f"/policies/proposals/{proposal}", releases.current()
    async with client(plane, "pam") as pam:
        page = await pam.get(path)
        digest = page.text.split('name="digest" value="')[1].split('"')[0]
        form = {"seal": sealed(page, f"{path}/confirm"), "digest": digest}
        refused = await pam.post(f"{path}/confirm", data=form)
        gone = await pam.post(f"{path}/withdraw", data=form)
        page = await pam.get(path)
    assert (refused.status_code, "another person confirms it" in text_of(refused)) == (409, True)
    assert gone.status_code == 303
    assert "withdrawn" in text_of(page)
    assert "Confirm and publish" not in page.text
    assert releases.current() == served


@pytest.mark.parametrize("verb", ["confirm", "withdraw"])
async def test_a_viewer_decides_nothing_and_no_form_of_elsewhere_does(
    plane: ControlServices, client: Client, proposal: str, releases: MemoryReleases, verb: str
) -> None:
    served = releases.current()
    for reader in ("vic", "eva"):
        async with client(plane, reader) as browser:
            answer = await browser.post(f"/policies/proposals/{proposal}/{verb}", data={"seal": "0" * 64})
        assert answer.status_code == 403
    assert releases.current() == served
    assert [entry.id for entry in await plane.policies.proposals.waiting()] == [proposal]


async def test_an_edit_that_asks_for_two_people_leads_to_its_proposal(
    plane: ControlServices, client: Client, documents: Documents
) -> None:
    async with client(plane, "pam") as pam:
        page = await pam.get(EDIT, params={"file": "policies/finance.yaml"})
        texts = {"file policies/finance.yaml": documents(6000).policies["finance.yaml"]}
        done = await pam.post(EDIT, data=fields(page, **texts))
    [waiting] = await plane.policies.proposals.waiting()
    assert (done.status_code, done.headers["location"]) == (303, f"/policies/proposals/{waiting.id}")
