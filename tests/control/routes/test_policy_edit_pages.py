"""Documents edited in a browser: looked at, published with their tests or refused beside what was written."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import httpx
import pytest

from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.testing.releases import MemoryReleases
from tests.control.routes.test_policy_tests import PASSING, TEST
from tests.support.pages import sealed, text_of
from tests.support.people import person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
Documents = Callable[..., Sources]
POLICY, TESTS = "file policies/finance.yaml", "file tests/finance_test.yaml"
EDIT = "/policies/edit"
OPEN = {"file": "policies/finance.yaml"}


@pytest.fixture
async def plane(new_plane: Callable[..., ControlServices], documents: Documents) -> ControlServices:
    plane = with_people(new_plane(), person("vic", "viewer"), person("pam", "policy_admin"))
    await plane.publisher.publish(documents(9000), PASSING, "ann", "begin")
    return plane


def fields(page: httpx.Response, **texts: str) -> dict[str, str]:
    """What the form of the page sends, with these texts in place of those it showed."""
    base = re.search(r'name="base" value="([^"]+)"', page.text)
    assert base is not None
    shown = {
        html.unescape(name): html.unescape(text)
        for name, text in re.findall(r'<textarea name="([^"]+)"[^>]*>\n(.*?)</textarea>', page.text, re.DOTALL)
    }
    return {"seal": sealed(page, EDIT), "base": base.group(1), **shown, **texts}


async def test_a_policy_is_opened_with_the_tests_of_its_name(
    plane: ControlServices, client: Client, documents: Documents
) -> None:
    async with client(plane, "pam") as pam:
        page = await pam.get(EDIT, params=OPEN)
        new = await pam.get(EDIT, params={"file": "policies/new.yaml"})
    assert fields(page)[POLICY] == documents(9000).policies["finance.yaml"]
    assert fields(page)[TESTS] == PASSING["finance_test.yaml"]
    assert fields(new)["file policies/new.yaml"] == ""


@pytest.mark.usefixtures("opa_binary")
async def test_what_an_edit_does_is_shown_and_nothing_is_published(
    plane: ControlServices, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    before = releases.changes()
    async with client(plane, "pam") as pam:
        page = await pam.get(EDIT, params=OPEN)
        texts = {POLICY: documents(7000).policies["finance.yaml"], "message": "stricter"}
        review = await pam.post(f"{EDIT}/review", data=fields(page, **texts))
    text = text_of(review)
    assert review.status_code == 200
    assert (
        "changed policy */*/finance-agent allows stripe-payments: create_payment amount max 9000 -> amount max 7000"
        in text
    )
    assert "1 failed" in text
    assert "With a test that fails nothing is published" in text
    assert 'value="stricter"' in review.text
    assert releases.changes() == before
    assert await plane.people.changes.lines(0, 10) == []


@pytest.mark.usefixtures("opa_binary")
async def test_an_edit_with_its_tests_is_published_in_the_name_of_who_wrote_it(
    plane: ControlServices, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    policy, tests = documents(7000).policies["finance.yaml"], TEST.format(amount=7000, effect="allow")
    async with client(plane, "pam") as pam:
        page = await pam.get(EDIT, params=OPEN)
        crlf = policy.replace("\n", "\r\n")
        done = await pam.post(EDIT, data=fields(page, **{POLICY: crlf, TESTS: tests, "message": "stricter"}))
    assert (done.status_code, done.headers["location"]) == (303, f"/policies/{releases.current()}")
    change = releases.changes()[0]
    assert (change.by, change.message) == ("pam", "stricter")
    assert releases.sources(releases.current()) == documents(7000)
    assert releases.tests(releases.current()) == {"finance_test.yaml": tests}
    versions = [line.act for line in await plane.people.changes.lines(0, 10) if line.act.action == "policies:version"]
    assert [(act.subject, act.reason) for act in versions] == [(releases.current(), "stricter")]


@pytest.mark.usefixtures("opa_binary")
async def test_an_edit_that_breaks_a_test_or_a_rule_is_refused_with_what_was_written(
    plane: ControlServices, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    served = releases.current()
    async with client(plane, "pam") as pam:
        page = await pam.get(EDIT, params=OPEN)
        failing = await pam.post(EDIT, data=fields(page, **{POLICY: documents(7000).policies["finance.yaml"]}))
        broken = await pam.post(EDIT, data=fields(page, **{POLICY: "agent: [</textarea><script>alert(1)</script>\n"}))
    for refused, words in ((failing, "a payment of 8000"), (broken, "finance.yaml:")):
        assert refused.status_code == 409
        assert "Nothing changed" in text_of(refused)
        assert words in text_of(refused)
    assert "<script>alert" not in broken.text
    assert fields(broken)[POLICY] == "agent: [</textarea><script>alert(1)</script>\n"
    assert releases.current() == served


async def test_an_edit_of_documents_that_are_served_no_more_is_refused(
    plane: ControlServices, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    async with client(plane, "pam") as pam:
        page = await pam.get(EDIT, params={"file": "tools/stripe.yaml"})
        other = await plane.publisher.publish(documents(6000), {}, "ann", "")
        refused = await pam.post(EDIT, data=fields(page))
    assert (refused.status_code, "open them again" in refused.text) == (409, True)
    assert releases.current() == other.revision


async def test_a_form_is_good_for_its_person_its_revision_and_its_files(
    plane: ControlServices, client: Client, releases: MemoryReleases
) -> None:
    served = releases.current()
    async with client(plane, "pam") as pam, client(plane, "vic") as vic, client(plane, "ann") as ann:
        own = fields(await pam.get(EDIT, params=OPEN))
        others = {**own, "file policies/more.yaml": "agent: a\n"}
        answers = [
            await pam.post(EDIT, data={**own, "base": "0123"}),
            await pam.post(EDIT, data=others),
            await pam.post(f"{EDIT}/review", data=others),
            await pam.post(EDIT, data={name: text for name, text in own.items() if name != "seal"}),
            await ann.post(EDIT, data=own),
            await vic.post(EDIT, data=own),
            await vic.get(EDIT, params=OPEN),
            await pam.post(EDIT, data=own, headers={"origin": "https://evil.example"}),
        ]
    assert [answer.status_code for answer in answers] == [403] * len(answers)
    assert releases.current() == served


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("policies/standing/a.yaml", 400, "standing decision"),
        ("tools/shop.binpb", 400, "is no text"),
        ("policies/a_test.yaml", 400, "call it tests/"),
        ("tools/a_test.json", 400, "call it tests/"),
        ("nowhere", 400, "a file is policies/NAME"),
        ("policies/large.yaml", 413, "too long for a page"),
    ],
)
async def test_what_no_page_edits_says_where_it_is_edited(
    plane: ControlServices, client: Client, documents: Documents, name: str, status: int, words: str
) -> None:
    usual = documents(9000)
    large = {**usual.policies, "large.yaml": f"agent: large\n{'# ' + 'x' * 98 + chr(10)}" + f"# {'y' * 98}\n" * 700}
    await plane.publisher.publish(Sources(large, usual.tools), {}, "ann", "")
    async with client(plane, "pam") as pam:
        page = await pam.get(EDIT, params={"file": name})
    assert (page.status_code, words in text_of(page)) == (status, True)
