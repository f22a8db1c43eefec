"""Several held calls on one page: every one is shown whole, and each has a result of its own."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices
from aegis_authz.control.pages.batch import MOST
from aegis_authz.core.approval import ApprovalState
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approvals import hold
from tests.support.people import by, person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
PATH = "/approvals/batch"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock(), 60, for_tests=True)


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices], store: MemoryStore) -> ControlServices:
    return with_people(new_plane(approvals=store), person("eva", "approver@acme/emea", groups=("finance",)))


def name(number: int) -> ApprovalId:
    return ApprovalId(f"apr_{number:034x}")


async def held(store: MemoryStore, *numbers: int, **more: object) -> None:
    for number in numbers:
        bot = more.get("agent", Scope("acme", "emea", f"bot{number}"))
        await hold(store, name(number), jti=f"j{number}", life=900 + number, **{**more, "agent": bot})  # type: ignore[arg-type]  # of `hold`


async def marks(browser: httpx.AsyncClient, who: str = "eva") -> dict[str, str]:
    page = (await browser.get(PATH, headers=by(who))).text
    return dict(re.findall(r'name="(row apr_[0-9a-f]{34})" value="([0-9a-f]{64})"', page))


async def states(store: MemoryStore, *numbers: int) -> list[str]:
    return [(await store.get(name(number))).state.value for number in numbers]


async def test_what_is_marked_is_decided_and_nothing_else(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await held(store, 1, 2, 3)
    async with client(plane, "eva") as browser:
        page = (await browser.get(PATH)).text
        assert page.count('<pre class="call">') == 3
        chosen = {field: seal for field, seal in (await marks(browser)).items() if not field.endswith("3")}
        results = await browser.post(PATH, data={**chosen, "verdict": "approve", "note": "all read"})
    assert results.status_code == 200
    assert results.text.count("Approved by eva.") == 2
    assert await states(store, 1, 2, 3) == ["approved", "approved", "pending"]


async def test_one_that_was_decided_meanwhile_keeps_no_other_from_its_result(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await held(store, 1, 2)
    async with client(plane, "eva") as browser:
        chosen = await marks(browser)
        await store.decide(name(1), ApprovalState.DENIED, "bob", SystemClock().now())
        results = await browser.post(PATH, data={**chosen, "verdict": "approve"})
    assert "is denied and cannot be decided any more" in results.text
    assert "Approved by eva." in results.text
    assert await states(store, 1, 2) == ["denied", "approved"]


async def test_a_denial_without_a_reason_denies_none(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await held(store, 1, 2)
    async with client(plane, "eva") as browser:
        results = await browser.post(PATH, data={**await marks(browser), "verdict": "deny"})
    assert results.text.count("a denial needs a reason") == 2
    assert await states(store, 1, 2) == ["pending", "pending"]


async def test_a_mark_that_was_shown_to_somebody_else_or_for_another_call_decides_nothing(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await held(store, 1, 2)
    async with client(plane, "eva") as browser:
        chosen = await marks(browser)
        others = await marks(browser, "ann")
        first, second = (f"row {name(number)}" for number in (1, 2))
        for wrong in ({first: chosen[second]}, {first: others[first]}, {first: ""}, {**chosen, second: others[second]}):
            answer = await browser.post(PATH, data={**wrong, "verdict": "approve"})
            assert answer.status_code == 403
        assert (await browser.post(PATH, data={"verdict": "approve"})).status_code == 400
        assert (await browser.post(PATH, data={**chosen, "verdict": "burn"})).status_code == 400
        evil = await browser.post(
            PATH, data={**chosen, "verdict": "approve"}, headers={"origin": "https://evil.example"}
        )
        assert evil.status_code == 403
    assert await states(store, 1, 2) == ["pending", "pending"]


async def test_what_waits_in_another_tenant_is_neither_shown_nor_decided(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await held(store, 1)
    await held(store, 2, agent=Scope("acme", "apac", "bot"))
    async with client(plane, "eva") as browser:
        assert str(name(2)) not in (await browser.get(PATH)).text
        foreign = (await marks(browser, "ann"))[f"row {name(2)}"]
        data = {**await marks(browser), f"row {name(2)}": foreign, "verdict": "approve"}
        assert (await browser.post(PATH, data=data)).status_code == 404
    assert await states(store, 1, 2) == ["pending", "pending"]


async def test_what_must_be_typed_has_no_mark_and_a_page_has_twenty_calls(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await held(store, *range(10, 10 + MOST + 2))
    await held(store, 1, confirm=("amount",))
    async with client(plane, "eva") as browser:
        page = (await browser.get(PATH)).text
        assert page.count('<pre class="call">') == MOST
        assert "3 more wait" in page
        assert f"row {name(1)}" not in await marks(browser)
        assert "decide it on its page" in page
