"""A page that loses its server says so, and goes on by itself once that is back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices
from aegis_authz.core.units import Epoch
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approvals import HELD, hold
from tests.support.browser import chromium, visit
from tests.support.people import person

pytestmark = pytest.mark.slow
_PATIENCE = 60_000


async def test_a_lost_connection_is_said_and_comes_back_by_itself(
    new_plane: Callable[..., ControlServices], serving: Callable[..., AbstractAsyncContextManager[str]]
) -> None:
    kept, store = MemoryPeople(for_tests=True), MemoryStore(SystemClock(), 60, for_tests=True)
    eva = person("eva", "approver@acme/emea")
    await kept.add(Account(eva, is_disabled=False, created=Epoch(1.0)))
    plane = new_plane(approvals=store, people=kept)
    opened = await plane.people.door.sign_in.open_session(eva, "127.0.0.1")
    async with chromium() as browser:
        async with serving(plane) as url:
            cookie = {"name": "aegis-session", "value": opened.secret, "url": url}
            context = visit(browser, url, [cookie])
            watcher = await context.__aenter__()
            page = await watcher.page()
            await page.goto("/approvals")
            connection = page.locator("[data-connection]")
            await expect(connection).to_have_text("Live", timeout=_PATIENCE)
        await expect(connection).to_have_text("Connection lost: trying again", timeout=_PATIENCE)
        await hold(store)
        async with serving(plane, urlsplit(url).port):
            await expect(connection).to_have_text("Live", timeout=_PATIENCE)
            await expect(page.locator(f'a[href="/approvals/{HELD}"]')).to_be_visible(timeout=_PATIENCE)
            await kept.replace(Account(eva, is_disabled=True, created=Epoch(1.0)))
            await expect(connection).to_have_text("Connection lost: trying again", timeout=_PATIENCE)
            await context.__aexit__(None, None, None)
