"""A press of a button in Slack decides in the name of the person it belongs to, once, and only what was shown."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from urllib.parse import parse_qs, urlencode

import httpx
import pytest

from aegis_authz.adapters.channels.slack import SlackChannel
from aegis_authz.adapters.system import SystemClock
from aegis_authz.approvals.statement import statement_digest
from aegis_authz.bootstrap.channels import OpenChannels, SlackApp
from aegis_authz.bootstrap.outreach import Notices
from aegis_authz.control.app import ControlServices
from aegis_authz.control.approvals.pressing import SlackPresses
from aegis_authz.core.approval import Approval, ApprovalProof, ApprovalState
from aegis_authz.core.change_line import Act, ChangeLine
from aegis_authz.core.person import Person
from aegis_authz.core.record import ApprovalRecord
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.ports.people import Account, PersonUnknown
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.record_log import MemoryRecordLog
from aegis_authz.testing.store import MemoryStore
from tests.control.routes.test_approvals import HELD, hold
from tests.support.local_servers import SlackServer, serving
from tests.support.memory_notices import memory_notices
from tests.support.people import person
from tests.support.slack_presses import button_value, interaction, signed_headers

Client = Callable[[ControlServices, str], httpx.AsyncClient]
SIGNED_IN = "apr_00" + "2" * 32
SECRET = b"8f742231b10e8888abcd99yyyzzz85a5"
PATH = "/v1/channels/slack/interactions"
PEOPLE: dict[str, Person] = {
    "U0ANN": person("ann", "approver@acme/emea", groups=("finance",)),
    "U0EVE": person("eve", "approver@acme/emea"),
    "U0GUS": person("gus", "viewer", groups=("finance",)),
}


class Desk:
    """A control plane with an app of Slack, and a Slack that keeps what it is told."""

    def __init__(self, plane: ControlServices, store: MemoryStore, slack: SlackServer, url: str) -> None:
        self.plane, self.store, self.slack, self.url = plane, store, slack, url

    async def tell(self) -> None:
        """Look for what is held or settled, and tell it."""
        assert self.plane.outreach.courier is not None
        await self.plane.outreach.courier.look()
        await self.plane.outreach.courier.empty("slack")

    def payload(self, user: str, action: str, reason: str = "", digest: str = "") -> bytes:
        """What Slack sends when that user presses that button of the message it has."""
        value = f"{HELD} {digest}" if digest else button_value(self.slack.posted[-1]["blocks"], action)
        return interaction(user, action, value, f"{self.url}/actions/T1/1/x", reason)

    async def press(self, client: Client, raw: bytes, secret: bytes = SECRET, ago: float = 0) -> httpx.Response:
        """Send it, signed, and wait until it was decided and answered."""
        headers = signed_headers(raw, secret, ago)
        before = len(self.slack.replies)
        async with client(self.plane, "") as slack:
            del slack.headers["authorization"]
            answer = await slack.post(PATH, content=raw, headers=headers)
        if answer.status_code == 200:
            async with asyncio.timeout(5), self.slack.news:
                await self.slack.news.wait_for(lambda: len(self.slack.replies) > before)
        return answer


class Ledger(MemoryPeople):
    """People and a change log whose disk can be full."""

    is_full = False

    async def append(self, act: Act) -> ChangeLine:
        if self.is_full:
            raise DatabaseFault("the disk is full")
        return await super().append(act)


@pytest.fixture
def kept() -> Ledger:
    return Ledger(for_tests=True)


@pytest.fixture
async def desk(new_plane: Callable[..., ControlServices], kept: Ledger) -> AsyncIterator[Desk]:
    store, server = MemoryStore(SystemClock(), 60, for_tests=True), SlackServer()
    async with serving(server.handle) as url, opened(url) as notices:
        plane = new_plane(approvals=store, notices=notices, people=kept)
        assert plane.outreach.presses is not None
        watch = asyncio.create_task(plane.outreach.presses.watch())
        await hold(store, notify=("slack:#finance",))
        desk = Desk(plane, store, server, url)
        await desk.tell()
        yield desk
        watch.cancel()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Notices]:
    channel = SlackChannel("xoxb-test", "https://aegis.acme.example", f"{url}/api", (url.removeprefix("http://"),))
    app = SlackApp(channel, PEOPLE, SECRET, "", f"{url}/api")
    yield Notices(*memory_notices(), OpenChannels({"slack": channel}, app, (channel.close,)))
    await channel.close()


async def test_approve_in_slack_lets_the_call_pass_and_changes_the_message(
    desk: Desk, client: Client, records: MemoryRecordLog
) -> None:
    assert (await desk.press(client, desk.payload("U0ANN", "aegis_approve", "invoice 1181"))).status_code == 200
    approval = await desk.store.get(HELD)
    assert (approval.state, approval.decided_by) == (ApprovalState.APPROVED, "ann")
    assert desk.slack.replies[-1]["text"] == "Approved by ann."
    (record,) = [record for record in records.records if isinstance(record, ApprovalRecord)]
    assert (record.by, record.note) == ("ann", "invoice 1181")
    await desk.tell()
    assert "Approved by ann." in json.dumps(desk.slack.updated[-1])
    assert "aegis_approve" not in json.dumps(desk.slack.updated[-1])


@pytest.mark.parametrize("action", ["aegis_approve", "aegis_deny"])
async def test_what_only_who_is_signed_in_decides_has_no_buttons_and_no_press_decides_it(
    desk: Desk, client: Client, records: MemoryRecordLog, action: str
) -> None:
    forged = desk.payload("U0ANN", action, "invoice 1181", statement_digest((await desk.store.get(HELD)).request))
    await desk.store.decide(HELD, ApprovalState.CANCELLED, "ben", time.time())
    await hold(desk.store, SIGNED_IN, jti="j2", notify=("slack:#finance",), proof=ApprovalProof.SIGNED_IN)
    await desk.tell()
    (message,) = [posted for posted in desk.slack.posted if SIGNED_IN in json.dumps(posted)]
    assert "aegis_approve" not in json.dumps(message)
    assert "decided by who is signed in alone" in json.dumps(message)
    digest = statement_digest((await desk.store.get(SIGNED_IN)).request)
    fields = {name: values[0] for name, values in parse_qs(forged.decode()).items()}
    content = json.loads(fields["payload"])
    content["actions"][0]["value"] = f"{SIGNED_IN} {digest}"
    await desk.press(client, urlencode({"payload": json.dumps(content)}).encode())
    assert "is decided by who is signed in alone: open its page" in desk.slack.replies[-1]["text"]
    assert (await desk.store.get(SIGNED_IN)).state is ApprovalState.PENDING
    assert not [record for record in records.records if isinstance(record, ApprovalRecord)]


async def test_a_denial_needs_a_reason(desk: Desk, client: Client) -> None:
    await desk.press(client, desk.payload("U0ANN", "aegis_deny"))
    assert "a denial needs a reason" in desk.slack.replies[-1]["text"]
    assert (await desk.store.get(HELD)).state is ApprovalState.PENDING
    await desk.press(client, desk.payload("U0ANN", "aegis_deny", "not this payee"))
    assert (await desk.store.get(HELD)).state is ApprovalState.DENIED


async def test_what_was_decided_elsewhere_is_told_to_who_presses_and_in_the_message(desk: Desk, client: Client) -> None:
    raw = desk.payload("U0ANN", "aegis_approve")
    await desk.store.decide(HELD, ApprovalState.DENIED, "ben", time.time())
    await desk.press(client, raw)
    assert "is denied and cannot be decided any more" in desk.slack.replies[-1]["text"]
    await desk.tell()
    assert "Denied by ben." in json.dumps(desk.slack.updated[-1])


async def test_a_second_press_of_the_same_request_decides_nothing_more(desk: Desk, client: Client) -> None:
    raw = desk.payload("U0ANN", "aegis_approve")
    for _ in range(2):
        await desk.press(client, raw)
    assert "is approved and cannot be decided any more" in desk.slack.replies[-1]["text"]


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("U0EVE", "eve is in none of the groups that may decide this: finance"),
        ("U0GUS", "gus may not decide approvals of acme/emea"),
        ("U0WHO", "The Slack user U0WHO is linked to no person of the control plane, and decides nothing."),
    ],
)
async def test_the_approver_is_the_person_the_user_is_here_and_never_the_user(
    desk: Desk, client: Client, user: str, words: str
) -> None:
    await desk.press(client, desk.payload(user, "aegis_approve"))
    assert desk.slack.replies[-1]["text"] == words
    assert (await desk.store.get(HELD)).state is ApprovalState.PENDING


async def test_who_is_disabled_decides_nothing_even_where_the_settings_name_that_person(
    desk: Desk, client: Client, kept: Ledger
) -> None:
    await kept.add(Account(PEOPLE["U0ANN"], is_disabled=True, created=1.0))
    await desk.press(client, desk.payload("U0ANN", "aegis_approve"))
    assert "is linked to no person" in desk.slack.replies[-1]["text"]
    assert (await desk.store.get(HELD)).state is ApprovalState.PENDING


async def test_the_roles_of_who_is_known_are_those_of_now_whatever_the_settings_say(
    desk: Desk, client: Client, kept: Ledger
) -> None:
    await kept.add(Account(replace(PEOPLE["U0ANN"], roles=()), is_disabled=False, created=1.0))
    await desk.press(client, desk.payload("U0ANN", "aegis_approve"))
    assert (await desk.store.get(HELD)).state is ApprovalState.PENDING


async def test_what_is_decided_in_slack_is_in_the_change_log(desk: Desk, client: Client, kept: Ledger) -> None:
    await desk.press(client, desk.payload("U0EVE", "aegis_approve", "mine"))
    await desk.press(client, desk.payload("U0GUS", "aegis_approve", "no approver here"))
    await desk.press(client, desk.payload("U0ANN", "aegis_deny", "not this payee"))
    acts = [line.act for line in await kept.lines(0, 99)]
    assert [(act.person, act.action, act.subject, act.domain, act.reason) for act in acts] == [
        ("eve", "approvals:approve", HELD, "acme/emea", "mine"),
        ("eve", "approvals:approve", HELD, "acme/emea", "this was not done"),
        ("ann", "approvals:deny", HELD, "acme/emea", "not this payee"),
    ]


async def test_without_a_change_log_nothing_is_decided_in_slack(desk: Desk, client: Client, kept: Ledger) -> None:
    kept.is_full = True
    await desk.press(client, desk.payload("U0ANN", "aegis_approve"))
    assert "cannot decide this now" in desk.slack.replies[-1]["text"]
    assert (await desk.store.get(HELD)).state is ApprovalState.PENDING


@pytest.mark.parametrize("text", ["", "geändert"])
async def test_a_message_that_shows_another_call_approves_nothing(desk: Desk, client: Client, text: str) -> None:
    held: Approval = await desk.store.get(HELD)
    other = text or statement_digest(replace(held.request, parameters={"amount": 1}))
    await desk.press(client, desk.payload("U0ANN", "aegis_approve", digest=other))
    assert "another than the message shows" in desk.slack.replies[-1]["text"]
    assert (await desk.store.get(HELD)).state is ApprovalState.PENDING


@pytest.mark.parametrize(("secret", "ago"), [(b"another secret", 0), (SECRET, 400), (SECRET, -400)])
async def test_what_slack_did_not_sign_now_is_refused(desk: Desk, client: Client, secret: bytes, ago: float) -> None:
    answer = await desk.press(client, desk.payload("U0ANN", "aegis_approve"), secret, ago)
    assert answer.status_code == 401
    assert (await desk.store.get(HELD)).state is ApprovalState.PENDING


async def test_what_is_too_much_or_no_payload_is_refused(desk: Desk, client: Client) -> None:
    for raw, status in ((b"x" * 300_000, 413), (b"payload=%7B", 401)):
        assert (await desk.press(client, raw)).status_code == status


async def test_without_an_app_of_slack_there_is_no_such_thing(
    new_plane: Callable[..., ControlServices], client: Client
) -> None:
    async with client(new_plane(), "") as anyone:
        assert (await anyone.post(PATH, content=b"x")).status_code == 404


class SlowReplies:
    """Tells nobody anything, and does not say so."""

    async def reply(self, response_url: str, text: str) -> None:
        await asyncio.Event().wait()


async def test_a_decision_waits_for_the_answer_to_no_other(desk: Desk) -> None:
    decided: list[str] = []

    async def person_of(user: str) -> Person:
        decided.append(user)
        raise PersonUnknown(user)

    own = SlackPresses(SECRET, desk.plane.approver, person_of, SlowReplies(), desk.plane.deciding, SystemClock())
    watch = asyncio.create_task(own.watch())
    for user in ("U0ONE", "U0TWO"):
        raw, stamp = desk.payload(user, "aegis_approve"), str(int(time.time()))
        mac = hmac.new(SECRET, f"v0:{stamp}:".encode() + raw, sha256).hexdigest()
        own.take(stamp, f"v0={mac}", raw)
    async with asyncio.timeout(5):
        while len(decided) < 2:
            await asyncio.sleep(0)
    watch.cancel()
    assert decided == ["U0ONE", "U0TWO"]


async def test_a_press_by_socket_mode_decides_as_one_by_a_signed_request(desk: Desk, client: Client) -> None:
    presses = desk.plane.outreach.presses
    assert presses is not None
    payload = json.loads(parse_qs(desk.payload("U0ANN", "aegis_approve", "invoice 1181").decode())["payload"][0])
    stranger = {**payload, "user": {"id": "U0WHO"}}
    for sent, words in ((stranger, "is linked to no person"), (payload, "Approved by ann.")):
        assert presses.take_payload(sent)
        async with asyncio.timeout(5), desk.slack.news:
            await desk.slack.news.wait_for(lambda words=words: any(words in one["text"] for one in desk.slack.replies))  # type: ignore[misc]  # bound now
    approval = await desk.store.get(HELD)
    assert (approval.state, approval.decided_by) == (ApprovalState.APPROVED, "ann")
    assert presses.take_payload({"type": "view_submission"})
    assert presses.take_payload({"type": "block_actions", "actions": [{"action_id": "aegis_approve"}]})


async def test_where_presses_come_by_socket_mode_no_signed_request_is_believed(
    new_plane: Callable[..., ControlServices], client: Client
) -> None:
    """Without a secret every signature by an empty one would be good."""
    store, server = MemoryStore(SystemClock(), 60, for_tests=True), SlackServer()
    async with serving(server.handle) as url:
        channel = SlackChannel("xoxb-test", "https://aegis.acme.example", f"{url}/api")
        app = SlackApp(channel, PEOPLE, None, "xapp-test", f"{url}/api")
        notices = Notices(*memory_notices(), OpenChannels({"slack": channel}, app, (channel.close,)))
        plane = new_plane(approvals=store, notices=notices)
        assert plane.outreach.socket is not None
        await hold(store, notify=("slack:#finance",))
        desk = Desk(plane, store, server, url)
        await desk.tell()
        answer = await desk.press(client, desk.payload("U0ANN", "aegis_approve"), secret=b"")
        await channel.close()
    assert answer.status_code == 401
    assert (await store.get(HELD)).state is ApprovalState.PENDING
