"""The playground: a call against any revision, and why it is decided so; nothing changes."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml

from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Revision
from aegis_authz.testing.releases import MemoryReleases
from tests.support.pages import text_of, without_opa
from tests.support.people import person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
Documents = Callable[..., Sources]
CALL = """\
agent: acme/emea/finance-agent
tool: stripe-payments
action: create_payment
parameters: {amount: 7000}
"""


@pytest.fixture
async def plane(new_plane: Callable[..., ControlServices], documents: Documents) -> ControlServices:
    plane = with_people(new_plane(), person("vic", "viewer"))
    await plane.publisher.publish(documents(5000), {}, "ann", "begin")
    await plane.publisher.publish(documents(9000), {}, "ann", "raise")
    return plane


@pytest.fixture
def former(plane: ControlServices, releases: MemoryReleases) -> Revision:
    return releases.changes()[1].revision


def textarea(page: httpx.Response) -> str:
    match = re.search(r'<textarea name="call"[^>]*>\n(.*?)</textarea>', page.text, re.DOTALL)
    assert match is not None
    return html.unescape(match.group(1))


async def test_it_begins_with_a_call_that_a_policy_speaks_of(plane: ControlServices, client: Client) -> None:
    async with client(plane, "vic") as vic:
        page = await vic.get("/playground")
        chosen = await vic.get("/playground", params={"agent": "a/b/c", "action": "stripe-payments/create_payment"})
    call = yaml.safe_load(textarea(page))
    assert (call["agent"], call["tool"], call["action"]) == (
        "org/tenant/finance-agent",
        "stripe-payments",
        "create_payment",
    )
    assert call["context"]["time"].startswith("20")
    assert yaml.safe_load(textarea(chosen))["agent"] == "a/b/c"
    assert '<optgroup label="stripe-payments">' in page.text


@pytest.mark.usefixtures("opa_binary")
async def test_a_call_is_explained_under_the_revision_that_is_chosen(
    plane: ControlServices, client: Client, releases: MemoryReleases, former: Revision
) -> None:
    before = (releases.changes(), await plane.people.changes.lines(0, 10))
    async with client(plane, "vic") as vic:
        served = await vic.post("/playground", data={"revision": releases.current(), "call": CALL})
        earlier = await vic.post("/playground", data={"revision": former, "call": CALL})
    assert served.status_code == 200
    assert "allow ALLOWED" in text_of(served)
    assert "✓ held amount max 9000: seen 7000 (else deny ) line 6" in text_of(served)
    assert f'href="/policies/{former}/file?name=policies%2Ffinance.yaml#L6">line 6</a>' in earlier.text
    assert "deny POLICY_DENIED" in text_of(earlier)
    assert "✗ failed amount max 5000: seen 7000 -> deny line 6" in text_of(earlier)
    assert textarea(earlier) == CALL
    test = re.search(r'<pre tabindex="0" aria-label="The call as a policy test">(.*?)</pre>', earlier.text, re.DOTALL)
    assert test is not None
    [case] = yaml.safe_load(html.unescape(test.group(1)))["tests"]
    assert (case["call"]["parameters"], case["expect"]) == (
        {"amount": 7000},
        {"effect": "deny", "reason": "POLICY_DENIED"},
    )
    assert (releases.changes(), await plane.people.changes.lines(0, 10)) == before


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("", "holds no call"),
        ("agent: acme/emea/x\ntool: stripe-paymentz\naction: create_payment\n", "stripe-payments"),
        ("agent: [", "call:1"),
        (CALL + "---\n" + CALL, "only one can be explained at once"),
    ],
)
async def test_what_is_no_call_is_told_with_its_line(
    plane: ControlServices, client: Client, releases: MemoryReleases, call: str, words: str
) -> None:
    async with client(plane, "vic") as vic:
        page = await vic.post("/playground", data={"revision": releases.current(), "call": call})
    assert (page.status_code, words in text_of(page)) == (422, True)
    assert textarea(page) == call


@pytest.mark.usefixtures("opa_binary")
async def test_what_is_written_into_a_call_stays_text(
    plane: ControlServices, client: Client, releases: MemoryReleases
) -> None:
    attack = '"><script>alert(1)</script>{{1234*5678}}\\u202e'
    call = f'{CALL}host: ""\ncontext: {{environment: "{attack.replace(chr(34), chr(39))}"}}\n'.replace(
        "7000", f"'{attack}'"
    )
    async with client(plane, "vic") as vic:
        page = await vic.post("/playground", data={"revision": releases.current(), "call": call})
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "7006652" not in page.text
    assert "PARAMETER_TYPE" in page.text


async def test_without_an_opa_the_page_says_so_and_keeps_what_was_written(
    plane: ControlServices, client: Client, releases: MemoryReleases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_opa(monkeypatch, tmp_path)
    async with client(plane, "vic") as vic:
        page = await vic.post("/playground", data={"revision": releases.current(), "call": CALL})
    assert page.status_code == 503
    assert "This control plane has no OPA to try anything on" in text_of(page)
    assert textarea(page) == CALL


@pytest.mark.parametrize("revision", ["0123456789", "../../etc", "<b>"])
async def test_a_revision_that_is_none_is_a_page_that_says_so(
    plane: ControlServices, client: Client, revision: str
) -> None:
    async with client(plane, "vic") as vic:
        answers = [
            await vic.get("/playground", params={"revision": revision}),
            await vic.post("/playground", data={"revision": revision, "call": CALL}),
        ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert all("<h1>This did not work</h1>" in answer.text for answer in answers)


async def test_no_form_of_elsewhere_tries_a_call(plane: ControlServices, client: Client) -> None:
    async with client(plane, "vic") as vic:
        answer = await vic.post("/playground", data={"call": CALL}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
