"""A person lets a command in on a page: that command alone, once, and nobody whom a link leads there."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices, create_app
from aegis_authz.core.sign_in import Session
from aegis_authz.core.units import Epoch
from aegis_authz.people.secrets import challenge_of, digest
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from tests.support.people import person

VERIFIER = "v" * 43
QUESTION = {"port": 40_000, "challenge": challenge_of(VERIFIER), "state": "0" * 32}
PAGE, CODE = "/approvals/command", "/v1/session/code"
OURS = {"origin": "http://127.0.0.1:7000"}


@pytest.fixture
async def people() -> MemoryPeople:
    people = MemoryPeople(for_tests=True)
    await people.add(Account(person("ann", "approver@acme"), is_disabled=False, created=Epoch(1.0)))
    return people


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices], people: MemoryPeople) -> ControlServices:
    return new_plane(people=people)


def browser(plane: ControlServices) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(plane)), base_url="http://127.0.0.1:7000")


async def signed_in(plane: ControlServices) -> httpx.AsyncClient:
    opened = await plane.people.door.sign_in.open_session(person("ann", "approver@acme"), "192.0.2.1")
    user = browser(plane)
    user.cookies.set("aegis-session", opened.secret, domain="127.0.0.1")
    return user


async def let_in(user: httpx.AsyncClient, **question: object) -> httpx.Response:
    asked = {**QUESTION, **question}
    page = await user.get(PAGE, params=asked)
    (seal,) = re.findall(r'name="seal" value="([0-9a-f]{64})"', page.text)
    return await user.post(PAGE, params=asked, data={"seal": seal}, headers=OURS)


def handed(answer: httpx.Response) -> str:
    """The code in the address that the page leads to."""
    (url,) = re.findall(r'content="0;url=([^"]+)"', answer.text)
    parts = urlsplit(url.replace("&amp;", "&"))
    question = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc, question["state"]) == ("http", "127.0.0.1:40000", ["0" * 32])
    return question["code"][0]


async def test_a_command_that_was_let_in_signs_in_once(plane: ControlServices, people: MemoryPeople) -> None:
    async with await signed_in(plane) as user, browser(plane) as command:
        code = handed(await let_in(user))
        for wrong in ({"code": code, "verifier": "w" * 43}, {"code": "0" * 64, "verifier": VERIFIER}):
            assert (await command.post(CODE, json=wrong)).status_code == 401
        password = {"code": code, "person": "ann", "password": "correct horse battery"}
        assert (await command.post("/v1/password", json=password)).status_code == 401  # it is no code for a password
        answer = await command.post(CODE, json={"code": code, "verifier": VERIFIER})
        assert (answer.status_code, answer.json()["person"]["id"]) == (200, "ann")
        assert (await command.get("/v1/session")).status_code == 200
        assert (await command.post(CODE, json={"code": code, "verifier": VERIFIER})).status_code == 401
    acts = [(line.act.person, line.act.action) for line in await people.lines(0, 9)]
    assert acts.count(("ann", "sessions:command")) == 1


async def test_a_command_is_in_no_longer_than_who_let_it_in(plane: ControlServices, people: MemoryPeople) -> None:
    """Else a session lets in the next for ever, whatever becomes of the account at a provider."""
    now = SystemClock().now()
    ending = Session(digest("s" * 64), "ann", now, Epoch(now + 1800))
    await people.open_session(ending)
    async with browser(plane) as user, browser(plane) as command:
        user.cookies.set("aegis-session", "s" * 64, domain="127.0.0.1")
        answer = await command.post(CODE, json={"code": handed(await let_in(user)), "verifier": VERIFIER})
        assert answer.status_code == 200
        opened = await people.session(digest(command.cookies["aegis-session"]))
    assert opened is not None
    assert opened.expires == ending.expires


async def test_nobody_lets_a_command_in_by_a_session_that_has_ended(
    plane: ControlServices, people: MemoryPeople
) -> None:
    async with await signed_in(plane) as user, browser(plane) as command:
        code = handed(await let_in(user))
        await people.end_sessions("ann")  # as another password does
        assert (await command.post(CODE, json={"code": code, "verifier": VERIFIER})).status_code == 401


async def test_a_link_alone_lets_nobody_in(plane: ControlServices) -> None:
    async with await signed_in(plane) as user:
        page = await user.get(PAGE, params=QUESTION)
        (seal,) = re.findall(r'name="seal" value="([0-9a-f]{64})"', page.text)
        for data, headers, question in (
            ({}, OURS, QUESTION),
            ({"seal": seal}, {"origin": "https://evil.example"}, QUESTION),
            ({"seal": seal}, OURS, {**QUESTION, "port": 40_001}),
            ({"seal": seal}, OURS, {**QUESTION, "challenge": challenge_of("w" * 43)}),
            ({"seal": "0" * 64}, OURS, QUESTION),
        ):
            answer = await user.post(PAGE, params=question, data={"x": "y", **data}, headers=headers)
            assert answer.status_code == 403, (data, headers, question)


@pytest.mark.parametrize(
    "question",
    [{"port": 80}, {"port": "1@evil.example"}, {"challenge": "short"}, {"state": "<b>"}, {"state": ""}],
    ids=str,
)
async def test_a_question_that_no_command_asks_is_refused(plane: ControlServices, question: dict[str, object]) -> None:
    async with await signed_in(plane) as user:
        assert (await user.get(PAGE, params={**QUESTION, **question})).status_code == 400


async def test_who_is_in_no_session_lets_no_command_in(
    plane: ControlServices, client: Callable[[ControlServices, str], httpx.AsyncClient]
) -> None:
    async with client(plane, "ann") as bearer, browser(plane) as nobody:
        assert (await bearer.get(PAGE, params=QUESTION)).status_code == 403
        assert (await nobody.get(PAGE, params=QUESTION)).status_code == 401
