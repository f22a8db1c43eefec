"""A decision that a crash left out of the history is added to it, once, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices
from aegis_authz.control.approvals.remembering import HistoryWatch
from aegis_authz.core.approval_event import ApprovalEvent
from aegis_authz.core.units import Epoch
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.testing.approval_history import MemoryApprovalHistory
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approvals import HELD, hold
from tests.support.people import by

Client = Callable[[ControlServices, str], httpx.AsyncClient]
OTHER = "apr_0b" + "1" * 32


class Away(MemoryApprovalHistory):
    """A history that takes nothing, as for a control plane that ends before it writes."""

    is_away = True

    async def append(self, event: ApprovalEvent) -> bool:
        if self.is_away:
            raise DatabaseFault("the control plane ended here")
        return await super().append(event)


class Scene:
    """A control plane whose history was away, and one that starts after it."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.store = MemoryStore(self.clock, 60, for_tests=True)
        self.kept = MemoryPeople(for_tests=True)
        self.history = Away(for_tests=True)

    def watch(self) -> HistoryWatch:
        self.history.is_away = False
        return HistoryWatch(self.kept, self.store, self.history, self.clock)

    async def events(self) -> list[tuple[str, str, str, str]]:
        lines = await self.history.lines(Epoch(0.0), Epoch(1e12), 0, 99)
        return [(e.approval_id, e.kind.value, e.person, e.reason) for e in (line.event for line in lines)]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def plane(scene: Scene, new_plane: Callable[..., ControlServices]) -> ControlServices:
    return new_plane(approvals=scene.store, people=scene.kept, history=scene.history)


async def test_decisions_of_before_the_crash_are_added_once_with_their_reasons(
    scene: Scene, plane: ControlServices, client: Client
) -> None:
    await hold(scene.store)
    await hold(scene.store, OTHER, jti="j2", approvals=2)
    async with client(plane, "ann") as api:
        for name, verb, person in (
            (HELD, "approve", "ann"),
            (OTHER, "approve", "ann"),
            (OTHER, "deny", "bob"),
            (HELD, "cancel", "bob"),
        ):
            answer = await api.post(f"/v1/approvals/{name}/{verb}", json={"note": f"{verb} it"}, headers=by(person))
            assert answer.status_code == 200, answer.text
    assert await scene.events() == []
    watch = scene.watch()
    for each in (watch, watch, scene.watch()):
        await each.look()
    assert await scene.events() == [
        (HELD, "asked", "", ""),
        (HELD, "approved", "ann", "approve it"),
        (OTHER, "asked", "", ""),
        (OTHER, "approved", "ann", "approve it"),
        (OTHER, "denied", "bob", "deny it"),
        (HELD, "cancelled", "bob", "cancel it"),
    ]


async def test_what_was_only_attempted_is_not_added(scene: Scene, plane: ControlServices, client: Client) -> None:
    await hold(scene.store)
    async with client(plane, "ann") as api:
        await api.post(f"/v1/approvals/{HELD}/approve", json={})
        for verb in ("deny", "approve"):  # the lines of these stay, and one more each that says so
            answer = await api.post(f"/v1/approvals/{HELD}/{verb}", json={"note": "late"}, headers=by("bob"))
            assert answer.status_code == 409
    await scene.watch().look()
    assert [(kind, person) for _, kind, person, _ in await scene.events()] == [("asked", ""), ("approved", "ann")]


async def test_what_a_running_control_plane_could_not_write_is_added_by_its_next_look(
    scene: Scene, plane: ControlServices, client: Client
) -> None:
    await hold(scene.store)
    watch = scene.watch()
    await watch.look()
    scene.history.is_away = True
    async with client(plane, "ann") as api:
        await api.post(f"/v1/approvals/{HELD}/approve", json={})
    scene.history.is_away = False
    await watch.look()
    assert [kind for _, kind, _, _ in await scene.events()] == ["asked", "approved"]


async def test_what_is_in_the_history_with_its_door_stays_as_it_is(
    scene: Scene, plane: ControlServices, client: Client
) -> None:
    scene.history.is_away = False
    await hold(scene.store)
    async with client(plane, "ann") as api:
        await api.post(f"/v1/approvals/{HELD}/approve", json={})
    await scene.watch().look()
    lines = await scene.history.lines(Epoch(0.0), Epoch(1e12), 0, 99)
    assert [(line.event.kind.value, line.event.channel) for line in lines] == [("asked", ""), ("approved", "api")]
