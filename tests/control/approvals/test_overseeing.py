"""The control plane's oversight: in the API, on the page, for Prometheus, and as an alert; each tenant's people see theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.approvals.oversight import Dimension, StampTerms
from aegis_authz.control.app import ControlServices
from aegis_authz.control.approvals.overseeing import Overseer, TooManyEvents
from aegis_authz.core.approval_event import ApprovalEvent, ApprovalEventKind
from aegis_authz.core.person import Person
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Epoch, Seconds
from aegis_authz.testing.approval_history import MemoryApprovalHistory
from tests.support.people import person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
EMEA, APAC = Scope("acme", "emea", "bot"), Scope("acme", "apac", "bot")


def event(number: int, scope: Scope, person_id: str, seconds: float, channel: str = "page") -> ApprovalEvent:
    now = SystemClock().now()
    return ApprovalEvent(
        *(ApprovalId(f"apr_{number}"), scope, "stripe", "pay", ("payments",), ()),
        *(ApprovalEventKind.APPROVED, person_id, channel, "", Epoch(now - 60), Seconds(seconds)),
    )  # fmt: skip


@pytest.fixture
async def plane(new_plane: Callable[..., ControlServices]) -> ControlServices:
    history = MemoryApprovalHistory(for_tests=True)
    for number in range(12):
        await history.append(event(number, EMEA, "ann", 1))
    await history.append(event(100, APAC, "<b>zoe</b>", 30, "slack"))
    return with_people(
        new_plane(history=history),
        person("eva", "approver@acme/emea"),
        person("vic", "viewer"),
        person("aud", "auditor"),
    )


async def test_the_figures_are_of_the_tenants_that_one_may_see(plane: ControlServices, client: Client) -> None:
    async with client(plane, "aud") as everything, client(plane, "eva") as emea, client(plane, "vic") as nothing:
        whole = (await everything.get("/v1/oversight")).json()
        part = (await emea.get("/v1/oversight", params={"by": "channel"})).json()
        assert (await nothing.get("/v1/oversight")).status_code == 403
        page = (await emea.get("/oversight")).text
    assert [(row["key"], row["asked"], row["hasty"]) for row in whole["rows"]] == [
        ("ann", 12, 12),
        ("<b>zoe</b>", 1, 0),
    ]
    assert whole["rubber_stamping"] == [{"person": "ann", "approvals": 12, "hasty": 12}]
    assert [(row["key"], row["approved"], row["median_seconds"]) for row in part["rows"]] == [("page", 12, 1)]
    assert "zoe" not in page
    assert "ann: 12 of 12 approvals took less than 3 seconds" in page


async def test_the_address_of_before_leads_to_the_page_with_its_question(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "aud") as everything:
        answer = await everything.get("/approvals/oversight?days=7")
        page = (await everything.get(answer.headers["location"])).text
    assert (answer.status_code, answer.headers["location"]) == (308, "/oversight?days=7")
    assert "in the last 7 days" in page
    assert '<option value="7" selected>' in page
    async with client(plane, "vic") as nothing:
        assert (await nothing.get("/approvals/oversight")).status_code == 403


async def test_days_that_a_filter_leaves_empty_are_the_usual_ones(plane: ControlServices, client: Client) -> None:
    async with client(plane, "aud") as everything:
        page = (await everything.get("/oversight?days=")).text
        answers = [await everything.get(f"/oversight?days={days}") for days in ("0", "367", "nan", "-1", "1e3")]
    assert "in the last 30 days" in page
    assert {answer.status_code for answer in answers} == {400}


async def test_where_no_call_was_held_the_page_says_what_holds_one(
    new_plane: Callable[..., ControlServices], client: Client
) -> None:
    async with client(with_people(new_plane(), person("aud", "auditor")), "aud") as everything:
        page = (await everything.get("/oversight?days=1.5")).text
    assert "No call was held." in page
    assert "<table" not in page
    assert '<option value="1.5" selected>' in page


async def test_what_a_name_holds_stays_text_on_the_page(plane: ControlServices, client: Client) -> None:
    async with client(plane, "aud") as everything:
        page = await everything.get("/oversight")
    assert page.status_code == 200
    assert "&lt;b&gt;zoe&lt;/b&gt;" in page.text
    assert "<b>zoe" not in page.text


async def test_prometheus_reads_the_figures_of_the_whole_mesh_with_a_persons_permission(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "aud") as everything, client(plane, "eva") as emea, client(plane, "") as nobody:
        text = (await everything.get("/metrics")).text
        assert (await emea.get("/metrics")).status_code == 403
        assert (await nobody.get("/metrics")).status_code == 401
    assert 'aegis_oversight_calls{by="person",key="ann",what="hasty"} 12.0' in text
    assert 'aegis_oversight_median_seconds{by="channel",key="slack"} 30.0' in text
    assert 'aegis_oversight_rubber_stamping{person="ann"} 1.0' in text


async def test_nobody_waits_while_figures_are_added_up() -> None:
    async def note(*_: object) -> None: ...

    threads: set[int] = set()

    def is_visible(_: Scope) -> bool:
        threads.add(threading.get_ident())
        return True

    history = MemoryApprovalHistory(for_tests=True)
    await history.append(event(1, EMEA, "ann", 1))
    overseer = Overseer(history, StampTerms(3, 0.5, Seconds(3600)), note, SystemClock())
    assert await overseer.figures([Dimension.PERSON], Seconds(3600), is_visible)
    await overseer.stamps(is_visible)
    assert threads
    assert threading.get_ident() not in threads


async def test_an_alert_is_a_line_of_the_change_log_once() -> None:
    lines: list[tuple[str, ...]] = []

    async def note(who: Person, *words: str) -> None:
        lines.append((who.id, *words))

    history, clock = MemoryApprovalHistory(for_tests=True), SystemClock()
    overseer = Overseer(history, StampTerms(3, 0.5, Seconds(3600)), note, clock)
    for number in range(3):
        await overseer.look()
        assert lines == []
        await history.append(event(number, EMEA, "ann", 1))
    await overseer.look()
    await overseer.look()
    assert lines == [("control", "approvals:rubber_stamping", "ann", "*", "3 of 3 approvals took less than 3 seconds")]


async def test_more_events_than_can_be_added_up_are_refused_and_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async def note(*_: object) -> None: ...

    history = MemoryApprovalHistory(for_tests=True)
    for number in range(2):
        await history.append(event(number, EMEA, "ann", 1))
    monkeypatch.setattr("aegis_authz.control.approvals.overseeing._PAGE", 1)
    monkeypatch.setattr("aegis_authz.control.approvals.overseeing._MOST_PAGES", 1)
    overseer = Overseer(history, StampTerms(3, 0.5, Seconds(3600)), note, SystemClock())
    with pytest.raises(TooManyEvents):
        await overseer.stamps(lambda _: True)
