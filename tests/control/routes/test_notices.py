"""Operators see which notices reached nobody, and why."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from aegis_authz.adapters.system import SystemClock
from aegis_authz.bootstrap.channels import OpenChannels
from aegis_authz.bootstrap.outreach import Notices
from aegis_authz.control.app import ControlServices
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approvals import HELD, hold
from tests.support.memory_notices import memory_notices
from tests.support.people import by, person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]


async def test_a_place_of_no_channel_is_listed_with_the_reason(
    new_plane: Callable[..., ControlServices], client: Client
) -> None:
    store = MemoryStore(SystemClock(), 60, for_tests=True)
    notices = Notices(*memory_notices(), OpenChannels({}, None, ()))
    plane = with_people(new_plane(approvals=store, notices=notices), person("ivy", "approver@acme/emea"))
    await hold(store, notify=("slack:#finance",))
    assert plane.outreach.courier is not None
    await plane.outreach.courier.look()
    async with client(plane, "ann") as admin:
        (entry,) = (await admin.get("/v1/notices/undelivered")).json()["undelivered"]
        of_a_tenant = await admin.get("/v1/notices/undelivered", headers=by("ivy"))
    assert entry == {
        "approval": HELD,
        "alert": "",
        "place": "slack:#finance",
        "notice": "held",
        "attempts": 0,
        "trouble": "the settings have no channel slack",
    }
    assert of_a_tenant.status_code == 403


async def test_without_channels_nothing_is_undelivered(
    new_plane: Callable[..., ControlServices], client: Client
) -> None:
    async with client(new_plane(), "ann") as admin:
        assert (await admin.get("/v1/notices/undelivered")).json() == {"undelivered": []}
        assert (await admin.get("/v1/notices/channels")).json() == {"channels": []}
