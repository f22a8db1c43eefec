"""Where the control plane asks for it, nothing is published by which a recorded call would be decided more mildly,
whichever door it comes by: the API, the console, a second person's confirmation, a rollback.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.config.control import ControlSettings
from aegis_authz.config.publishing import BacktestSettings, PublishSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Epoch
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.releases import MemoryReleases
from tests.control.routes.test_proposals import body
from tests.support.made_records import DENIED, named
from tests.support.people import by, person, with_people
from tests.support.recorded_payments import KEY

Documents = Callable[..., Sources]
Client = Callable[[ControlServices, str], httpx.AsyncClient]
NewPlane = Callable[..., ControlServices]
MILDER = "1 of 2 recorded calls would be decided more mildly"
PASSED = "(tried on 2 recorded calls: none is decided more mildly)"

pytestmark = pytest.mark.usefixtures("opa_binary", "redis_binary")


async def record(settings: ControlSettings) -> None:
    """A payment of 4000 that passed, and one of 8000 that did not."""
    now = SystemClock().now()
    async with FileRecordLog(settings.records / "authz-0", "authz-0", KEY, SystemClock()) as log:
        for number, (amount, reason) in enumerate(((4000, Reason.ALLOWED), (8000, Reason.POLICY_DENIED))):
            identity = replace(named("finance-agent"), issued_at=now - 1, expires_at=now + 60)
            call = replace(
                DENIED, decision_id=f"d-{number}", time=now - 60 + number, effect=REASONS[reason].effect, reason=reason,
                detail="", identity=identity, tool="stripe-payments", action="create_payment",
                host="api.stripe.example", path="/v1/payments", parameters={"amount": amount}, policies=(), findings=(),
            )  # fmt: skip
            await log.append(call)


@pytest.fixture
async def kept() -> MemoryPeople:
    people = MemoryPeople(for_tests=True)
    await people.add(Account(person("ann", "owner"), is_disabled=False, created=Epoch(1.0)))
    return people


@pytest.fixture
def new_strict(
    new_plane: NewPlane, settings: ControlSettings, documents: Documents, kept: MemoryPeople
) -> Callable[..., ControlServices]:
    """A control plane that tries publications on recorded calls."""

    def strict(**terms: int) -> ControlServices:
        publish = PublishSettings(backtest=BacktestSettings(), **terms)
        plane = new_plane(settings=settings.model_copy(update={"publish": publish}), people=kept)
        plane.publisher.start(documents)
        return with_people(plane, person("pia", "policy_admin"))

    return strict


async def test_what_is_milder_is_published_by_an_owner_who_says_why_and_by_nobody_else(
    new_strict: Callable[..., ControlServices],
    settings: ControlSettings,
    client: Client,
    documents: Documents,
    releases: MemoryReleases,
    kept: MemoryPeople,
) -> None:
    await record(settings)
    async with client(new_strict(), "ann") as ann:
        first = releases.current()
        refused = await ann.post("/v1/policies?wait=0", json=body(documents(9000), message="more"))
        assert (refused.status_code, releases.current()) == (422, first)
        assert MILDER in refused.json()["detail"]
        blank = await ann.post("/v1/policies?wait=0", json=body(documents(9000), accept="  "))
        assert (blank.status_code, releases.current()) == (422, first)
        admin = await ann.post("/v1/policies?wait=0", json=body(documents(9000), accept="why not"), headers=by("pia"))
        assert (admin.status_code, releases.current()) == (403, first)
        assert "pia may publish, and not accept" in admin.json()["detail"]
        done = await ann.post(
            "/v1/policies?wait=0", json=body(documents(9000), message="more", accept="a new supplier")
        )
        assert (done.status_code, releases.current()) == (200, done.json()["revision"])
        message = releases.changes()[0].message
        assert message.startswith(f"more ({MILDER}")
        assert message.endswith("; accepted by ann: a new supplier)")
        # what was loosened with a reason is not loosened again, and tightening needs none
        again = await ann.post("/v1/policies?wait=0", json=body(documents(9001)), headers=by("pia"))
        assert (again.status_code, releases.changes()[0].message) == (200, PASSED)
        stricter = await ann.post("/v1/policies?wait=0", json=body(documents(100)), headers=by("pia"))
        assert (stricter.status_code, releases.changes()[0].message) == (200, PASSED)
    acts = [(line.act.person, line.act.action, line.act.reason) for line in await kept.lines(0, 99)]
    assert acts.count(("ann", "policies:accept", "a new supplier")) == 1
    assert not [act for act in acts if act[:2] == ("pia", "policies:accept")]


async def test_a_rollback_is_no_way_around(
    new_strict: Callable[..., ControlServices],
    settings: ControlSettings,
    client: Client,
    documents: Documents,
    releases: MemoryReleases,
) -> None:
    await record(settings)
    async with client(new_strict(), "ann") as ann:
        await ann.post("/v1/policies?wait=0", json=body(documents(9000), accept="a trial"))
        wide = releases.current()
        await ann.post("/v1/policies?wait=0", json=body(documents(5000)))
        narrow = releases.current()
        refused = await ann.post("/v1/rollback?wait=0", json={"revision": wide})
        assert (refused.status_code, releases.current()) == (422, narrow)
        done = await ann.post("/v1/rollback?wait=0", json={"revision": wide, "accept": "suppliers wait"})
    assert (done.status_code, releases.current()) == (200, wide)
    assert "accepted by ann: suppliers wait" in releases.changes()[0].message


async def test_both_of_two_people_accept_what_is_milder(
    new_strict: Callable[..., ControlServices],
    settings: ControlSettings,
    client: Client,
    documents: Documents,
    releases: MemoryReleases,
) -> None:
    await record(settings)
    plane = with_people(new_strict(approvals=1), person("bob", "owner"))
    async with client(plane, "ann") as ann:
        first = releases.current()
        waits = await ann.post("/v1/policies?wait=0", json=body(documents(9000), accept="a new supplier"))
        assert waits.status_code == 202, waits.text
        proposal = waits.json()
        assert "accepted by ann: a new supplier" in proposal["message"]
        path, digest = f"/v1/proposals/{proposal['id']}/confirm", {"digest": proposal["digest"]}
        refused = await ann.post(path, json=digest, headers=by("bob"))
        assert (refused.status_code, releases.current()) == (422, first)
        admin = await ann.post(path, json={**digest, "accept": "so be it"}, headers=by("pia"))
        assert (admin.status_code, releases.current()) == (403, first)
        done = await ann.post(path, json={**digest, "accept": "I know him"}, headers=by("bob"))
    assert (done.status_code, releases.current()) == (200, done.json()["revision"])
    message = releases.changes()[0].message
    assert "accepted by ann: a new supplier" in message
    assert message.endswith("accepted by bob: I know him)")


async def test_without_records_nothing_is_published_but_by_an_owner_who_says_why(
    new_strict: Callable[..., ControlServices], client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    async with client(new_strict(), "ann") as ann:
        first = releases.current()
        refused = await ann.post("/v1/policies?wait=0", json=body(documents(100)))
        assert (refused.status_code, releases.current()) == (422, first)
        assert "it was tried on 0 recorded calls, and must be on 1" in refused.json()["detail"]
        done = await ann.post("/v1/policies?wait=0", json=body(documents(100), accept="the mesh is new"))
    assert done.status_code == 200


async def test_where_nobody_asks_for_it_an_acceptance_is_about_nothing(
    plane: ControlServices, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    plane.publisher.start(documents)
    async with client(with_people(plane, person("pia", "policy_admin")), "pia") as pia:
        done = await pia.post("/v1/policies?wait=0", json=body(documents(9000), accept="a new supplier"))
    assert done.status_code == 200
    assert releases.changes()[0].message == ""
