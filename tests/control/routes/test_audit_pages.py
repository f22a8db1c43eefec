"""The pages of audit: search, the timeline of an approval, and the proof of all logs with a visible result."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from tests.support.made_records import APPROVAL
from tests.support.people import with_people
from tests.support.readable_records import HELD, READERS, write_records

Connect = Callable[[ControlServices, str], httpx.AsyncClient]


@pytest.fixture
async def plane(new_plane: Callable[..., ControlServices], settings: ControlSettings, keys: Keys) -> ControlServices:
    services = with_people(new_plane(), *READERS)
    await write_records(settings.records, settings.keys, keys.records)
    await services.records.live.look()
    return services


async def prove(browser: httpx.AsyncClient) -> str:
    """Begin a proof on the page, and the page that says how it ended."""
    seal = re.findall(
        r'name="seal" value="([0-9a-f]{64})"', (await browser.get("/audit", params={"tool": "none"})).text
    )[0]
    begun = await browser.post("/audit/proof", data={"seal": seal}, headers={"origin": "http://127.0.0.1:7000"})
    assert (begun.status_code, begun.headers["location"]) == (303, "/audit"), begun.text
    async with asyncio.timeout(30):
        while "badge-wait" in (text := (await browser.get("/audit", params={"tool": "none"})).text):
            await asyncio.sleep(0.01)
    return text


async def test_records_are_searched_and_approvals_lead_to_their_timelines(
    plane: ControlServices, client: Connect
) -> None:
    async with client(plane, "eve") as eve:
        text = (await eve.get("/audit", params={"kind": "approval"})).text
        assert "approved by ann" in text
        assert f'href="/audit/approvals/{APPROVAL}"' in text
        timeline = (await eve.get(f"/audit/approvals/{APPROVAL}")).text
    for words in ("which was held", "approved by ann: as agreed", "approved by ann", "status 200"):
        assert words in timeline, words


async def test_records_are_searched_by_time(plane: ControlServices, client: Connect) -> None:
    async with client(plane, "ann") as ann:
        late = (await ann.get("/audit", params={"since": "2027-01-15T08:00:30Z", "kind": "decision"})).text
        early = (await ann.get("/audit", params={"until": "2h"})).text
        wrong = await ann.get("/audit", params={"since": "some day"})
    assert ('href="/decisions/used"' in late, 'href="/decisions/held"' in late) == (HELD.time == 1_800_000_000.0, False)
    assert "Nothing is recorded that fits." in early
    assert (wrong.status_code, "since:" in wrong.text) == (400, True)


async def test_each_reader_finds_what_is_of_their_tenants(plane: ControlServices, client: Connect) -> None:
    async with client(plane, "tom") as tom:
        text = (await tom.get("/audit")).text
        assert ('href="/decisions/abroad"' in text, 'href="/decisions/held"' in text) == (True, False)
        assert (await tom.get(f"/audit/approvals/{APPROVAL}")).status_code == 404
    async with client(plane, "vic") as viewer:
        for path in ("/audit", f"/audit/approvals/{APPROVAL}"):
            assert (await viewer.get(path)).status_code == 403


async def test_an_auditor_proves_all_logs_and_sees_what_came_of_it(
    plane: ControlServices, client: Connect, settings: ControlSettings
) -> None:
    async with client(plane, "ada") as ada:
        assert "Nothing was proven since" in (await ada.get("/audit")).text
        intact = await prove(ada)
        assert "No record was altered, removed, moved or added" in intact
        assert '<th scope="row">authz-0</th>' in intact
        file = settings.records / "authz-0" / "00000001.jsonl"
        file.write_bytes(file.read_bytes().replace(b'"ehr"', b'"ehs"'))
        damaged = await prove(ada)
    assert "Not everything is as it was written" in damaged
    assert "its bytes do not match its hash" in damaged


async def test_who_reads_a_tenant_alone_sees_no_proof_and_begins_none(plane: ControlServices, client: Connect) -> None:
    async with client(plane, "tom") as tom:
        assert "Proof of all logs" not in (await tom.get("/audit")).text
        assert (await tom.post("/audit/proof", data={"seal": "0" * 64})).status_code == 403


async def test_a_proof_is_begun_by_a_form_of_this_page_alone(plane: ControlServices, client: Connect) -> None:
    async with client(plane, "ada") as ada:
        assert (await ada.post("/audit/proof", data={"seal": "0" * 64})).status_code == 403
        assert "Nothing was proven since" in (await ada.get("/audit")).text


async def test_a_call_that_went_by_stands_on_the_page_of_whoever_may_prove_all_records(
    new_plane: Callable[..., ControlServices], settings: ControlSettings, client: Connect, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    plane = with_people(new_plane(settings=settings.model_copy(update={"access_logs": (log,)})), *READERS)
    assert plane.records.reconciler is not None
    await plane.records.live.look()
    await plane.records.reconciler.look()
    async with client(plane, "ada") as ada:
        assert "No call reached a tool without an allow: 0 calls" in (await ada.get("/audit")).text
        log.write_text('{"time": "2027-01-15T08:00:00Z", "decision_id": null, "upstream": "10.0.0.9:443"}\n')
        await plane.records.reconciler.look()
        text = (await ada.get("/audit")).text
        assert "Calls reached a tool without an allow" in text
        assert "it was sent to 10.0.0.9:443, and no authorizer was asked" in text
        assert 'aegis_reconciliation_gaps_total{kind="call-without-decision"} 1.0' in (await ada.get("/metrics")).text
    async with client(plane, "eve") as eve:
        assert "went by" not in (await eve.get("/audit")).text
    await cancelled(plane.records.reconciler.watch())


async def cancelled(watch: Coroutine[None, None, None]) -> None:
    """Begin to watch, and end that."""
    task = asyncio.create_task(watch)
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_segment_without_its_key_is_named_on_the_page_and_in_a_metric(
    new_plane: Callable[..., ControlServices], settings: ControlSettings, keys: Keys, client: Connect
) -> None:
    """Whoever may not see the proof of all logs is told how much is left out, and no name."""
    services = with_people(new_plane(), *READERS)
    await write_records(settings.records, settings.keys, keys.records)
    log = settings.records / "authz-0"
    (log / "00000001.jsonl").rename(log / "00000002.jsonl")
    (log / "00000001.jsonl.enc").write_bytes(b"none that can be read")
    await services.records.live.look()
    named = "authz-0/00000001.jsonl"
    async with client(services, "ada") as auditor:
        text, metrics = (await auditor.get("/audit")).text, (await auditor.get("/metrics")).text
    assert "1 segment of the records cannot be read now, and nothing in it is found" in text
    assert f"<code>{named}</code>: " in text
    assert 'href="/decisions/used"' in text
    assert f'aegis_records_unindexed{{segment="{named}"}} 1.0' in metrics
    async with client(services, "eve") as eve:
        text = (await eve.get("/audit")).text
    assert "1 segment of the records cannot be read now" in text
    assert named not in text

    (log / "00000001.jsonl.enc").unlink()
    await services.records.live.look()
    async with client(services, "ada") as auditor:
        assert "cannot be read now" not in (await auditor.get("/audit")).text
        assert "aegis_records_unindexed{" not in (await auditor.get("/metrics")).text
