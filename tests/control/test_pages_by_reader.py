"""Every page, for every role in a tenant: what it shows is of that tenant, and its frame leads nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices, create_app
from aegis_authz.control.gate import declared
from aegis_authz.control.pages.frame import SECTIONS, is_of_pages
from aegis_authz.core.person import Role
from aegis_authz.core.release import Sources
from aegis_authz.core.scope import Scope
from aegis_authz.people.permissions import PERMISSIONS
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approvals import HELD, hold
from tests.control.test_gate import of_people
from tests.support.people import person, with_people

Client = Callable[[ControlServices, str], httpx.AsyncClient]
FOREIGN = "apr_0a00000000000000000000000000000009"
READERS = [(role, "@acme/emea") for role in Role] + [(Role.OWNER, "")]
STREAMS = re.compile(r"/(events|stream)$")


_POLICY = """\
org: globex
tenant: emea
agent: globex-agent
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
"""


@pytest.fixture(params=["held", "published"])
async def plane(
    request: pytest.FixtureRequest, new_plane: Callable[..., ControlServices], documents: Callable[..., Sources]
) -> ControlServices:
    """Calls of two tenants that are held, or policies of two tenants: what is published since makes calls stale."""
    store = MemoryStore(SystemClock(), 60, for_tests=True)
    plane = new_plane(approvals=store)
    await hold(store)
    await hold(store, FOREIGN, jti="j9", agent=Scope("globex", "emea", "globex-agent"), behalf="globex-boss")
    if request.param == "published":
        both = documents()
        plane.publisher.start(lambda: Sources({**both.policies, "globex.yaml": _POLICY}, both.tools))
    return plane


def pages(plane: ControlServices) -> list[str]:
    """The path of each page that a reader opens."""
    paths = (path for method, path, _ in of_people(create_app(plane)) if method == "GET")
    return [path for path in paths if is_of_pages(path) and path != "/" and not STREAMS.search(path)]


def filled(path: str, approval: str) -> str:
    """A page of that approval, or of the first thing of any other kind."""
    return re.sub(r"\{[a-z_]+(:path)?\}", "x", path.replace("{approval_id}", approval).replace("{org}", "acme"))


@pytest.mark.parametrize(("role", "place"), READERS)
async def test_a_page_shows_nothing_of_a_tenant_that_its_reader_may_not_see(
    plane: ControlServices, client: Client, role: Role, place: str
) -> None:
    reader = person("eve", f"{role.value}{place}")
    needs = {path: declared(route) for method, path, route in of_people(create_app(plane)) if method == "GET"}
    seen = False
    async with client(with_people(plane, reader), "eve") as browser:
        for path in pages(plane):
            permission = needs[path].permission
            assert permission is not None
            for approval in (HELD, FOREIGN):
                answer = await browser.get(filled(path, approval), headers={"accept": "text/html"})
                if answer.is_redirect:
                    assert is_of_pages(answer.headers["location"]), path
                    continue
                text = answer.text.replace(FOREIGN, "")  # a page may say the address that was asked for
                assert answer.headers["content-type"].startswith("text/html"), path
                assert answer.status_code < 500 or answer.status_code == 503, (path, text)
                if role not in PERMISSIONS[permission]:
                    assert answer.status_code == 403, path
                seen |= "globex" in text
                if place:
                    assert "globex" not in text, path
                mine = {section.href for section in SECTIONS if section.is_for(reader)}
                shown = set(re.findall(r'<li><a href="([^"]+)"', text.partition("</nav>")[0]))
                assert shown == mine, path
    assert seen or place  # else the walk would see nothing at all


async def test_whoever_is_nobody_gets_nothing_of_a_page_but_the_way_to_sign_in(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "nobody") as browser:
        for path in pages(plane):
            answer = await browser.get(filled(path, HELD), headers={"accept": "text/html"})
            assert answer.status_code == 401, path
            assert "You are not signed in." in answer.text
            assert "<nav" not in answer.text
            assert "finance-agent" not in answer.text
