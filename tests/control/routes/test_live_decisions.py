"""Decisions as they come: sent to whoever may see them, in their filter, and ended when the reader may not any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import httpx
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from tests.support.event_streams import event_stream_of
from tests.support.made_records import DENIED
from tests.support.people import by, with_people
from tests.support.readable_records import ABROAD, READERS, write_records

Serving = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
async def plane(new_plane: Callable[..., ControlServices], settings: ControlSettings, keys: Keys) -> ControlServices:
    services = with_people(new_plane(), *READERS)
    await write_records(settings.records, settings.keys, keys.records)
    await services.records.live.look()
    return services


async def test_a_decision_is_sent_as_it_comes_to_those_of_its_tenant_and_whose_filter_it_fits(
    plane: ControlServices, serving: Serving, settings: ControlSettings, keys: Keys
) -> None:
    async with (
        serving(plane) as url,
        event_stream_of(url, "eve", "/decisions/events") as eve,
        event_stream_of(url, "tom", "/decisions/events?tool=ehr") as tom,
        asyncio.timeout(60),
    ):
        assert 'href="/decisions/used"' in await anext(eve)
        assert 'href="/decisions/abroad"' in await anext(tom)
        new = (
            replace(DENIED, decision_id="new-emea", time=DENIED.time + 100),
            replace(ABROAD, decision_id="new-crm", tool="crm"),
            replace(ABROAD, decision_id="new-apac", time=DENIED.time + 100),
        )
        await write_records(settings.records, settings.keys, keys.records, new)
        await plane.records.live.look()
        of_eve, of_tom = await anext(eve), await anext(tom)
    assert of_eve.startswith("event: decisions\ndata: ")
    assert [f'href="/decisions/{name}"' in of_eve for name in ("new-emea", "new-apac", "used")] == [True, False, True]
    assert [f'href="/decisions/{name}"' in of_tom for name in ("new-apac", "new-crm", "new-emea")] == [
        True,
        False,
        False,
    ]


async def test_a_proof_is_sent_as_it_ends(plane: ControlServices, serving: Serving) -> None:
    async with serving(plane) as url, event_stream_of(url, "ada", "/audit/events") as events, asyncio.timeout(60):
        assert "Nothing was proven since" in await anext(events)
        plane.records.verifier.start("ada")
        last = await anext(events)
        if "running" in last:
            last = await anext(events)
        assert "No record was altered" in last


async def test_streams_are_for_those_who_may_read(plane: ControlServices, serving: Serving) -> None:
    async with serving(plane) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get("/decisions/events", headers=by("vic"))).status_code == 403
        assert (await client.get("/audit/events", headers=by("eve"))).status_code == 403
        assert (await client.get("/decisions/events")).status_code == 401


async def test_before_the_records_were_looked_at_a_stream_ends_at_once(
    new_plane: Callable[..., ControlServices], serving: Serving
) -> None:
    async with (
        serving(new_plane()) as url,
        event_stream_of(url, "ann", "/decisions/events") as events,
        asyncio.timeout(60),
    ):
        assert [event async for event in events] == []
