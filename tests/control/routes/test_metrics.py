"""What Prometheus reads of the control plane: calls that wait, keys, and a store that is away is no store without calls."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices
from aegis_authz.control.approvals import backlog, overseeing
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approvals import hold
from tests.support.people import person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
NewPlane = Callable[..., ControlServices]


async def figures(plane: ControlServices, client: Client) -> dict[str, float]:
    """Each series of the page with its value."""
    async with client(with_people(plane, person("aud", "auditor")), "aud") as auditor:
        answer = await auditor.get("/metrics")
    assert answer.status_code == 200
    rows = [line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in rows}


async def test_calls_that_wait_are_counted_page_by_page_with_when_the_first_was_held(
    new_plane: NewPlane, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "_PAGE", 2)
    store = MemoryStore(SystemClock(), 60, for_tests=True)
    for number in range(5):
        await hold(
            store, approval_id=f"apr_0{number}0123456789abcdef0123456789abcdef", age=100.0 - number, jti=f"j{number}"
        )
    before = SystemClock().now() - 100
    seen = await figures(new_plane(approvals=store), client)
    assert seen['aegis_approvals_open{state="pending"}'] == 5
    assert seen['aegis_approvals_oldest_timestamp_seconds{state="pending"}'] == pytest.approx(before, abs=60)
    assert seen["aegis_control_store_up"] == 1


async def test_where_nobody_waits_there_is_no_first(new_plane: NewPlane, client: Client) -> None:
    seen = await figures(new_plane(approvals=MemoryStore(SystemClock(), 60, for_tests=True)), client)
    assert seen['aegis_approvals_open{state="pending"}'] == 0
    assert not any(series.startswith("aegis_approvals_oldest") for series in seen)


async def test_a_store_that_is_away_is_not_shown_as_one_without_calls(new_plane: NewPlane, client: Client) -> None:
    seen = await figures(new_plane(), client)
    assert seen["aegis_control_store_up"] == 0
    assert not any(series.startswith("aegis_approvals_open") for series in seen)


async def test_more_verdicts_than_can_be_added_up_hide_no_call_that_waits(
    new_plane: NewPlane, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overseeing, "_MOST_PAGES", 0)
    store = MemoryStore(SystemClock(), 60, for_tests=True)
    await hold(store)
    seen = await figures(new_plane(approvals=store), client)
    assert seen['aegis_approvals_open{state="pending"}'] == 1
    assert not any(series.startswith("aegis_oversight") for series in seen)


async def test_each_signing_key_says_when_it_was_made(new_plane: NewPlane, client: Client) -> None:
    plane = new_plane()
    seen = await figures(plane, client)
    assert {series: value for series, value in seen.items() if series.startswith("aegis_key_made")} == {
        f'aegis_key_made_timestamp_seconds{{key="{name}"}}': pytest.approx(rotation.ring.since)
        for name, rotation in plane.rotator.rotations.items()
    }
    assert plane.rotator.rotations
