"""The pages of decisions: what each reader sees of them, and that whatever an agent chose stays text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.core.record import MOST_PATH
from tests.support.made_records import DENIED
from tests.support.people import by, with_people
from tests.support.readable_records import READERS, write_records

Connect = Callable[[ControlServices, str], httpx.AsyncClient]
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x00\ud800javascript:&#60;"
XSS = replace(
    DENIED,
    decision_id="xss",
    tool=HOSTILE,
    action=HOSTILE,
    host=HOSTILE,
    path=HOSTILE * 20,
    detail=HOSTILE,
    source=HOSTILE,
    parameters={HOSTILE: {"deep": [HOSTILE]}, "long": "x" * 100_000},
    policies=(HOSTILE,),
    request_id=HOSTILE,
)


@pytest.fixture
async def plane(new_plane: Callable[..., ControlServices], settings: ControlSettings, keys: Keys) -> ControlServices:
    services = with_people(new_plane(), *READERS)
    await write_records(settings.records, settings.keys, keys.records)
    await services.records.live.look()
    return services


async def page(client: httpx.AsyncClient, path: str, **query: str) -> str:
    answer = await client.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    assert len(answer.content) < 300_000
    return answer.text


async def test_each_reader_sees_the_decisions_of_their_tenants(plane: ControlServices, client: Connect) -> None:
    shown = {}
    for name in ("ann", "eve", "tom", "gus"):
        async with client(plane, name) as reader:
            text = await page(reader, "/decisions")
        shown[name] = {entry for entry in ("held", "used", "abroad", "nobodys") if f'href="/decisions/{entry}"' in text}
    assert shown == {
        "ann": {"held", "used", "abroad", "nobodys"},
        "eve": {"held", "used"},
        "tom": {"abroad"},
        "gus": set(),
    }


async def test_a_list_keeps_its_filter_in_its_address_and_its_form(plane: ControlServices, client: Connect) -> None:
    async with client(plane, "ann") as ann:
        text = await page(ann, "/decisions", tool="ehr", effect="deny")
        assert 'href="/decisions/abroad"' in text
        assert 'href="/decisions/used"' not in text
        assert 'name="tool" value="ehr"' in text
        assert '<option value="deny" selected>' in text
        assert "No decision fits this filter." in await page(ann, "/decisions", tool="nothing")


async def test_a_list_that_is_longer_than_a_page_goes_on(
    plane: ControlServices, client: Connect, settings: ControlSettings, keys: Keys
) -> None:
    many = tuple(replace(DENIED, decision_id=f"n-{number}", time=1.0 + number) for number in range(60))
    await write_records(settings.records, settings.keys, keys.records, many)
    await plane.records.live.look()
    async with client(plane, "ann") as ann:
        text = await page(ann, "/decisions", agent="finance-agent")
        (after,) = [line for line in text.splitlines() if 'rel="next"' in line]
        href = after.split('href="')[1].split('"')[0].replace("&amp;", "&")
        assert "agent=finance-agent" in href
        rest = await page(ann, href)
    assert ('href="/decisions/n-0"' in text, 'href="/decisions/n-0"' in rest) == (False, True)
    assert "Back to the newest" in rest


async def test_a_decision_says_why_what_decided_it_how_long_it_took_and_that_its_record_verifies(
    plane: ControlServices, client: Connect
) -> None:
    async with client(plane, "eve") as eve:
        text = await page(eve, "/decisions/held")
    for words in (
        "APPROVAL_NEEDED",
        "What to do",
        "acme/emea/finance-agent",
        "<code>50000</code>",
        "What the rules found",
        "evaluate",
        "proven",
        "Record 1 of <code>authz-0</code>",
        "approved by ann: as agreed",
    ):
        assert words in text, words


async def test_a_decision_leads_to_what_its_reader_may_open_and_to_nothing_else(
    plane: ControlServices, client: Connect
) -> None:
    async with client(plane, "eve") as eve:
        text = await page(eve, "/decisions/held")
        assert 'href="/approvals/apr_' in text
        assert 'action="/playground"' not in text  # policies belong to the whole mesh
        assert "Prove all logs" not in text
    async with client(plane, "ann") as ann:
        text = await page(ann, "/decisions/held")
        assert 'action="/playground"' in text
        assert "Prove all logs" in text


async def test_a_decision_that_is_not_there_and_one_of_another_tenant_are_the_same_page(
    plane: ControlServices, client: Connect
) -> None:
    async with client(plane, "eve") as eve:
        answers = [await eve.get(f"/decisions/{name}", headers={"accept": "text/html"}) for name in ("abroad", "no")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text == answers[1].text
    assert "no record of such a decision" in answers[0].text


async def test_a_viewer_sees_no_decision(plane: ControlServices, client: Connect) -> None:
    async with client(plane, "vic") as viewer:
        for path in ("/decisions", "/decisions/used"):
            assert (await viewer.get(path)).status_code == 403
        assert "/decisions" not in (await viewer.get("/")).text


async def test_whatever_an_agent_chose_stays_text_and_a_page_stays_small(
    plane: ControlServices, client: Connect, settings: ControlSettings, keys: Keys
) -> None:
    await write_records(settings.records, settings.keys, keys.records, (XSS,))
    await plane.records.live.look()
    assert len(XSS.path) < MOST_PATH * 2
    async with client(plane, "ann") as ann:
        for path in ("/decisions", "/decisions/xss", "/audit", f"/audit?tool={HOSTILE[:9]}"):
            text = await page(ann, path)
            for tag in ("<script>alert", "<img", "\u202e", "\x00"):
                assert tag not in text, (path, tag)
        for path in ("/v1/records", "/v1/decisions/xss"):
            assert (await ann.get(path)).status_code == 200, path


async def test_a_filter_that_can_be_none_is_a_page_that_says_so(plane: ControlServices, client: Connect) -> None:
    async with client(plane, "ann") as ann:
        answer = await ann.get("/decisions", params={"tenant": "acme"}, headers={**by("ann"), "accept": "text/html"})
    assert answer.status_code == 400
    assert "tenant: must be org/tenant" in answer.text
