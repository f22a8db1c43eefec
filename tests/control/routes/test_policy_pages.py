"""Published policies read in a browser: versions, documents, differences and tests, by who may."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Revision
from aegis_authz.testing.releases import MemoryReleases
from tests.control.routes.test_policy_tests import FAILING, PASSING
from tests.support.pages import sealed, text_of, without_opa
from tests.support.people import person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
Documents = Callable[..., Sources]
ATTACK = '<script>alert(1)</script><img src=x onerror="alert(2)">'


@pytest.fixture
async def revisions(plane: ControlServices, documents: Documents) -> list[Revision]:
    """Two revisions; the second is served."""
    first = await plane.publisher.publish(documents(5000), {}, "ann", "begin")
    second = await plane.publisher.publish(documents(9000), PASSING, "pam", f"raise {ATTACK}")
    return [first.revision, second.revision]


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices]) -> ControlServices:
    readers = (person("vic", "viewer"), person("pam", "policy_admin"), person("tom", "viewer@acme/emea"))
    return with_people(new_plane(), *readers)


async def test_versions_are_listed_with_who_when_and_why(
    plane: ControlServices, client: Client, revisions: list[Revision]
) -> None:
    plane.board.hear(
        {"labels": {"id": "opa-1", "version": "1.9"}, "bundles": {"aegis": {"active_revision": revisions[0]}}}
    )
    async with client(plane, "vic") as vic:
        page = await vic.get("/policies")
        text = text_of(page)
    assert page.status_code == 200
    assert f"Served now: {revisions[1]}" in text
    assert "begin" in text
    assert text.index(revisions[1]) < text.rindex(revisions[0])
    assert f"opa-1 {revisions[0]} another 1.9 none" in text
    assert "<script>alert" not in page.text
    assert "onerror=" not in html.unescape(page.text).replace(ATTACK, "")
    assert html.escape(ATTACK, quote=False)[:20] in page.text
    assert f'href="/policies/{revisions[1]}/changes?since={revisions[0]}"' in page.text


async def test_the_list_of_versions_pages_and_keeps_its_filter_in_its_address(
    plane: ControlServices, client: Client, documents: Documents
) -> None:
    for limit in range(30):
        await plane.publisher.publish(documents(1000 + limit), {}, "ann" if limit % 2 else "pam", f"limit {limit}")
    async with client(plane, "vic") as vic:
        first = await vic.get("/policies")
        second = await vic.get("/policies", params={"page": 2})
        of_ann = await vic.get("/policies", params={"by": "ann", "kind": "published"})
        nobody = await vic.get("/policies", params={"by": "zoe"})
        wrong = await vic.get("/policies", params={"kind": "<b>"})
    assert 'href="/policies?page=2"' in first.text
    assert ("limit 29" in first.text, "limit 4" in first.text) == (True, False)
    assert 'rel="prev"' in second.text
    assert "limit 0" in second.text
    assert ("limit 29" in of_ann.text, "limit 28" in of_ann.text, 'value="ann"' in of_ann.text) == (True, False, True)
    assert "No version is like this." in nobody.text
    assert (wrong.status_code, "<h1>This did not work</h1>" in wrong.text) == (400, True)


async def test_a_revision_shows_its_documents_and_each_file_its_lines(
    plane: ControlServices, client: Client, revisions: list[Revision]
) -> None:
    async with client(plane, "vic") as vic:
        page = await vic.get(f"/policies/{revisions[1]}")
        file = await vic.get(f"/policies/{revisions[1]}/file", params={"name": "policies/finance.yaml"})
        test = await vic.get(f"/policies/{revisions[1]}/file", params={"name": "tests/finance_test.yaml"})
        missing = [
            (await vic.get(f"/policies/{revisions[1]}/file", params={"name": name})).status_code
            for name in ("policies/other.yaml", "elsewhere/a.yaml")
        ]
        unknown = await vic.get("/policies/0123456789")
    for name in ("policies/finance.yaml", "tools/stripe.yaml", "tests/finance_test.yaml", "*/*/finance-agent"):
        assert name in text_of(page)
    assert '<li id="L6"><code>      max_amount: 9000</code></li>' in file.text
    assert "a payment of 8000" in test.text
    assert missing == [404, 400]
    assert (unknown.status_code, "no such revision was published here" in unknown.text) == (404, True)


async def test_what_does_not_work_as_documents_want_it_is_said_on_the_page_of_what_is_served(
    plane: ControlServices, client: Client, revisions: list[Revision], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cautions() -> tuple[str, ...]:
        return ("notify tells <nobody> yet",)

    monkeypatch.setattr(plane.policies.releases, "_cautions", cautions)
    async with client(plane, "vic") as vic:
        former, served = [await vic.get(f"/policies/{revision}") for revision in revisions]
    assert "notify tells &lt;nobody&gt; yet." in served.text
    assert "notify tells" not in former.text


async def test_what_two_revisions_differ_in_is_told_by_rules_and_by_lines(
    plane: ControlServices, client: Client, revisions: list[Revision]
) -> None:
    async with client(plane, "vic") as vic:
        page = await vic.get(f"/policies/{revisions[1]}/changes", params={"since": revisions[0]})
        none = await vic.get(f"/policies/{revisions[1]}/changes", params={"since": revisions[1]})
    assert "allows stripe-payments: create_payment amount max 5000 -> amount max 9000" in text_of(page)
    assert "<del>-      max_amount: 5000</del>\n<ins>+      max_amount: 9000</ins>\n" in page.text
    assert "No rule, tool or registration differs" in none.text


@pytest.mark.usefixtures("opa_binary")
async def test_tests_are_run_on_demand_and_say_what_they_try(
    plane: ControlServices, client: Client, revisions: list[Revision], releases: MemoryReleases
) -> None:
    releases.keep_tests(revisions[0], FAILING)
    async with client(plane, "vic") as vic:
        passing = await vic.post(f"/policies/{revisions[1]}/tests")
        failing = await vic.post(f"/policies/{revisions[0]}/tests")
        elsewhere = await vic.post(f"/policies/{revisions[1]}/tests", headers={"sec-fetch-site": "cross-site"})
    assert (passing.status_code, failing.status_code, elsewhere.status_code) == (200, 200, 403)
    assert "1 passed" in text_of(passing)
    assert "*/*/finance-agent 1 of 1" in text_of(passing)
    assert "was never seen to fail" in text_of(passing)
    assert "0 passed" in text_of(failing) or "1 failed" in text_of(failing)
    assert await plane.people.changes.lines(0, 10) == []


async def test_without_an_opa_the_page_says_so_and_how_to_add_one(
    plane: ControlServices, client: Client, revisions: list[Revision], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_opa(monkeypatch, tmp_path)
    async with client(plane, "vic") as vic:
        page = await vic.post(f"/policies/{revisions[1]}/tests")
    assert page.status_code == 503
    assert "This control plane has no OPA to try anything on" in text_of(page)
    assert "set AEGIS_OPA_BIN to its path" in text_of(page)


async def test_whoever_may_publish_rolls_back_with_a_reason_and_nobody_else(
    plane: ControlServices, client: Client, revisions: list[Revision], releases: MemoryReleases
) -> None:
    path = f"/policies/{revisions[0]}/rollback"
    async with client(plane, "vic") as vic:
        assert "rollback" not in (await vic.get(f"/policies/{revisions[0]}")).text
        assert (await vic.post(path, data={"seal": "0" * 64})).status_code == 403
    async with client(plane, "pam") as pam:
        page = await pam.get(f"/policies/{revisions[0]}")
        assert (await pam.post(path, data={"seal": "0" * 64})).status_code == 403
        plane.board.hear({"labels": {"id": "o"}, "bundles": {"aegis": {"active_revision": revisions[0]}}})
        done = await pam.post(path, data={"seal": sealed(page, path), "message": "too much"})
    assert (done.status_code, done.headers["location"]) == (303, f"/policies/{revisions[0]}")
    change = releases.changes()[0]
    assert (releases.current(), change.by, change.message) == (revisions[0], "pam", "too much")
    lines = [line.act for line in await plane.people.changes.lines(0, 10)]
    assert [(act.action, act.subject) for act in lines if act.action == "policies:version"] == [
        ("policies:version", revisions[0])
    ]


async def test_a_rollback_takes_back_nothing_that_was_published_since_its_page_was_opened(
    plane: ControlServices, client: Client, documents: Documents, revisions: list[Revision], releases: MemoryReleases
) -> None:
    path = f"/policies/{revisions[0]}/rollback"
    async with client(plane, "pam") as pam:
        page = await pam.get(f"/policies/{revisions[0]}")
        urgent = await plane.publisher.publish(documents(1), {}, "ann", "urgent")
        stale = await pam.post(path, data={"seal": sealed(page, path), "message": "too much"})
    assert (stale.status_code, "open the page again" in text_of(stale)) == (403, True)
    assert releases.current() == urgent.revision


@pytest.mark.usefixtures("opa_binary")
async def test_a_rollback_whose_tests_fail_today_is_refused_on_its_page(
    plane: ControlServices, client: Client, revisions: list[Revision], releases: MemoryReleases
) -> None:
    releases.keep_tests(revisions[0], FAILING | {"finance_test.yaml": PASSING["finance_test.yaml"]})
    path = f"/policies/{revisions[0]}/rollback"
    async with client(plane, "pam") as pam:
        page = await pam.get(f"/policies/{revisions[0]}")
        refused = await pam.post(path, data={"seal": sealed(page, path)})
    assert refused.status_code == 409
    assert "Nothing changed." in text_of(refused)
    assert "a payment of 8000" in text_of(refused)
    assert releases.current() == revisions[1]


@pytest.mark.parametrize("path", ["/policies", "/policies/r1", "/policies/r1/file?name=policies/a.yaml", "/playground"])
async def test_whose_role_is_of_one_tenant_reads_no_policies_of_all(
    plane: ControlServices, client: Client, path: str
) -> None:
    async with client(plane, "tom") as tom:
        answer = await tom.get(path)
        start = await tom.get("/", follow_redirects=True)
    assert answer.status_code == 403
    assert 'href="/policies"' not in start.text


async def test_a_plane_with_nothing_published_says_what_to_do_next(plane: ControlServices, client: Client) -> None:
    async with client(plane, "vic") as vic:
        page = await vic.get("/policies")
        assert "aegis policy publish" in text_of(page)
        assert "No OPA has reported lately." in text_of(page)
        assert (await vic.get("/playground")).status_code == 404


async def test_of_very_many_opas_those_that_need_a_look_come_first(
    plane: ControlServices, client: Client, revisions: list[Revision]
) -> None:
    for number in range(150):
        active = revisions[0] if number == 149 else revisions[1]
        plane.board.hear({"labels": {"id": f"opa-{number:03}"}, "bundles": {"aegis": {"active_revision": active}}})
    async with client(plane, "vic") as vic:
        listing = await vic.get("/policies")
        sheet = await vic.get(f"/policies/{revisions[1]}")
    assert text_of(listing).index("opa-149") < text_of(listing).index("opa-000")
    assert "And 50 more." in listing.text
    assert "129 more" in sheet.text
