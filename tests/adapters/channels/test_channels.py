"""Channels against servers that check what they are sent as the providers document it."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256

import pytest
from aiohttp import web

from aegis_authz.adapters.channels.hooks import Hook, TeamsChannel, WebhookChannel
from aegis_authz.adapters.channels.log import LogChannel
from aegis_authz.adapters.channels.mail import MailChannel, MailServer
from aegis_authz.adapters.channels.slack import SlackChannel
from aegis_authz.adapters.system import SystemClock
from aegis_authz.approvals.statement import is_statement_of
from aegis_authz.core.alert import MANY, Alert
from aegis_authz.core.approval import ApprovalState
from aegis_authz.core.notice import Notice, NoticeKind, NoticeState
from aegis_authz.core.reason import Reason
from aegis_authz.notices import mail, slack, teams, webhook
from aegis_authz.ports.notices import ChannelFault
from tests.support.held_calls import HELD, REQUEST
from tests.support.local_servers import SlackServer, SmtpServer, mail_server, serving

URL = "https://aegis.acme.example"
ALERT = Alert(
    "alt_1", "acme", "emea", "bot", Reason.EGRESS_DENIED, "evil.example:443", 12, 1000.0, 1030.0, ("d-1", "d-2"), 1060.0
)
DENIED = replace(HELD, state=ApprovalState.DENIED, decided_by="ben", decided_at=1200.0)


def notice(place: str, kind: NoticeKind = NoticeKind.HELD, receipt: str = "") -> Notice:
    return Notice(REQUEST.id, place, kind, NoticeState.WAITING, 1, receipt, "")


@pytest.fixture
async def server() -> SlackServer:
    return SlackServer()


@pytest.fixture
async def channel(server: SlackServer) -> AsyncIterator[SlackChannel]:
    async with serving(server.handle) as url:
        channel = SlackChannel(server.token, URL, f"{url}/api", (url.removeprefix("http://"),))
        yield channel
        await channel.close()


async def test_slack_shows_the_call_and_changes_the_message_when_it_is_decided(
    server: SlackServer, channel: SlackChannel
) -> None:
    receipt = await channel.deliver(notice("slack:#finance"), HELD)
    assert receipt == "C024BE91L 1503435956.000001"
    (posted,) = server.posted
    assert posted["channel"] == "#finance"
    assert is_statement_of(slack.shown_text(posted["blocks"]), REQUEST)
    settled = notice("slack:#finance", NoticeKind.SETTLED, receipt)
    assert await channel.deliver(settled, DENIED) == receipt
    (updated,) = server.updated
    assert (updated["channel"], updated["ts"]) == ("C024BE91L", "1503435956.000001")
    assert "Denied by ben." in json.dumps(updated["blocks"])
    assert slack.APPROVE not in json.dumps(updated["blocks"])


async def test_nobody_is_told_of_the_end_of_what_nobody_was_told_of(server: SlackServer, channel: SlackChannel) -> None:
    await channel.deliver(notice("slack:#finance", NoticeKind.SETTLED, ""), DENIED)
    assert server.updated == []


@pytest.mark.parametrize(
    ("failure", "is_final", "words"),
    [
        (429, False, "HTTP 429"),
        (503, False, "HTTP 503"),
        (404, True, "HTTP 404"),
        (302, True, "HTTP 302"),
        ("channel_not_found", True, "chat.postMessage answered channel_not_found"),
        ("ratelimited", False, "chat.postMessage answered ratelimited"),
    ],
)
async def test_slack_is_tried_again_where_that_may_help(
    server: SlackServer, channel: SlackChannel, failure: int | str, is_final: bool, words: str
) -> None:
    server.failing = [failure]
    with pytest.raises(ChannelFault, match=words) as caught:
        await channel.deliver(notice("slack:#finance"), HELD)
    assert (caught.value.is_final, caught.value.wait) == (is_final, 1.0 if failure == 429 else 0.0)
    assert await channel.deliver(notice("slack:#finance"), HELD)


async def test_a_wrong_token_is_told_and_stands_in_no_fault(server: SlackServer) -> None:
    async with serving(server.handle) as url:
        channel = SlackChannel("xoxb-wrong", URL, f"{url}/api")
        with pytest.raises(ChannelFault, match="invalid_auth") as caught:
            await channel.deliver(notice("slack:#finance"), HELD)
        await channel.close()
    assert "xoxb" not in str(caught.value)


async def test_who_pressed_a_button_is_answered_at_slack_and_nowhere_else(
    server: SlackServer, channel: SlackChannel
) -> None:
    async with serving(server.handle) as elsewhere:
        with pytest.raises(ChannelFault, match="not Slack's"):
            await channel.reply(f"{elsewhere}/actions/T1/1/x", "no")
    for odd in ("http://[", "", "ftp://hooks.slack.com/x", "https://hooks.slack.com@evil.example/x"):
        with pytest.raises(ChannelFault, match="not Slack's"):
            await channel.reply(odd, "no")
    usual = SlackChannel("xoxb-1", "https://aegis.acme.example")
    with pytest.raises(ChannelFault, match="not Slack's"):
        await usual.reply("http://hooks.slack.com/actions/T1/1/x", "no")  # in the clear
    await usual.close()
    assert server.replies == []
    await channel.reply(f"http://{channel._response_hosts[0]}/actions/T1/1/x", "done")
    assert server.replies == [{"response_type": "ephemeral", "replace_original": False, "text": "done"}]


async def test_a_server_that_is_not_there_is_tried_again() -> None:
    channel = SlackChannel("xoxb-test", URL, "http://127.0.0.1:9/api")
    with pytest.raises(ChannelFault, match="cannot be reached: ConnectError") as caught:
        await channel.deliver(notice("slack:#finance"), HELD)
    await channel.close()
    assert not caught.value.is_final


async def test_teams_gets_a_card_that_links_to_the_page_and_decides_nothing() -> None:
    cards = []

    async def workflow(request: web.Request) -> web.StreamResponse:
        assert len(await request.read()) < 28_000
        cards.append(await request.json())
        return web.Response(status=202)

    async with serving(workflow) as url:
        channel = TeamsChannel({"payments": f"{url}/workflows/secret"}, URL)
        assert await channel.deliver(notice("teams:payments"), HELD) == ""
        with pytest.raises(ChannelFault, match="no teams:other") as caught:
            await channel.deliver(notice("teams:other"), HELD)
        await channel.close()
    assert caught.value.is_final
    (card,) = cards
    assert card["type"] == "message"
    assert is_statement_of(teams.shown_text(card), REQUEST)
    content = card["attachments"][0]["content"]
    assert (content["type"], content["version"]) == ("AdaptiveCard", "1.4")
    assert content["actions"] == [
        {"type": "Action.OpenUrl", "title": "Decide on the page", "url": f"{URL}/approvals/{REQUEST.id}"}
    ]


async def test_a_webhook_is_signed_over_its_raw_body() -> None:
    seen = []

    async def program(request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        timestamp = request.headers[webhook.TIMESTAMP]
        expected = hmac.new(b"key", b"v1:%s:%s" % (timestamp.encode(), raw), sha256).hexdigest()
        assert request.headers[webhook.SIGNATURE] == f"v1={expected}"
        seen.append((request.headers[webhook.NOTICE], json.loads(raw)["state"], raw))
        return web.Response()

    async with serving(program) as url:
        channel = WebhookChannel({"soc": Hook(url, b"key")}, URL, SystemClock())
        await channel.deliver(notice("webhook:soc"), HELD)
        await channel.deliver(notice("webhook:soc", NoticeKind.SETTLED), DENIED)
        await channel.close()
    assert [entry[:2] for entry in seen] == [(f"{REQUEST.id}.held", "pending"), (f"{REQUEST.id}.settled", "denied")]
    assert is_statement_of(webhook.shown_text(seen[0][2]), REQUEST)


@pytest.mark.parametrize(("code", "is_final"), [(550, True), (450, False)])
async def test_a_mail_is_handed_in_and_a_refusal_is_final_where_the_server_says_so(code: int, is_final: bool) -> None:
    server = SmtpServer()
    async with mail_server(server) as port:
        channel = MailChannel(MailServer("127.0.0.1", port, "aegis@acme.example", "", ""), URL, SystemClock())
        await channel.deliver(notice("email:finance@acme.example"), HELD)
        server.refusing = code
        with pytest.raises(ChannelFault, match=str(code)) as caught:
            await channel.deliver(notice("email:finance@acme.example"), HELD)
        await channel.close()
    assert caught.value.is_final is is_final
    assert server.recipients == ["finance@acme.example"]
    received = message_from_bytes(server.mails[0], policy=SMTP)
    assert isinstance(received, EmailMessage)
    assert is_statement_of(mail.shown_text(received), REQUEST)
    assert f"Decide: {URL}/approvals/{REQUEST.id}" in received.get_content()


@pytest.mark.parametrize(
    "address", ["", "<", "a", "a@", "@b", "a@b@c", "a,b@c.example", '"a"@b', "a@b.example>", "a:b@c;"]
)
async def test_what_is_no_address_of_mail_is_given_up_and_sent_to_no_server(address: str) -> None:
    server = SmtpServer()
    async with mail_server(server) as port:
        channel = MailChannel(MailServer("127.0.0.1", port, "aegis@acme.example", "", ""), URL, SystemClock())
        with pytest.raises(ChannelFault, match="is no address of mail") as caught:
            await channel.deliver(notice(f"email:{address}"), HELD)
    assert caught.value.is_final
    assert server.recipients == []


async def test_a_mail_server_that_is_not_there_is_tried_again() -> None:
    channel = MailChannel(MailServer("127.0.0.1", 9, "aegis@acme.example", "", ""), URL, SystemClock())
    with pytest.raises(ChannelFault, match="cannot be handed in: ConnectionRefusedError") as caught:
        async with asyncio.timeout(5):
            await channel.deliver(notice("email:finance@acme.example"), HELD)
    assert not caught.value.is_final


async def test_a_mail_server_that_never_comes_to_an_end_takes_no_more_than_two_threads() -> None:
    """It answers nothing after its greeting: each attempt is broken off, and the server sees that."""
    ends = 0

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal ends
        writer.write(b"220 mail.acme.example ESMTP\r\n")
        while await reader.read(1024):
            writer.write(b"250-slow\r\n")  # another line of an answer that never ends
            await writer.drain()
        ends += 1
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        channel = MailChannel(MailServer("127.0.0.1", port, "aegis@acme.example", "", ""), URL, SystemClock())
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await channel.deliver(notice("email:finance@acme.example"), HELD)
        async with asyncio.timeout(10):
            while ends < 2:
                await asyncio.sleep(0)
        await channel.close()


async def test_while_two_mails_are_under_way_a_third_waits() -> None:
    greeted, hang_up, over = asyncio.Event(), asyncio.Event(), asyncio.Event()
    accepted = closed = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted, closed
        accepted += 1
        if accepted == 2:
            greeted.set()
        await hang_up.wait()
        writer.close()
        await writer.wait_closed()
        closed += 1
        if closed == 2:
            over.set()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        channel = MailChannel(MailServer("127.0.0.1", port, "aegis@acme.example", "", ""), URL, SystemClock())
        mails = [asyncio.create_task(channel.deliver(notice("email:finance@acme.example"), HELD)) for _ in range(2)]
        await greeted.wait()
        with pytest.raises(ChannelFault, match="under way") as fault:
            await channel.deliver(notice("email:finance@acme.example"), HELD)
        assert not fault.value.is_final
        hang_up.set()
        outcomes = await asyncio.gather(*mails, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ChannelFault, ChannelFault]
        await channel.close()
        async with asyncio.timeout(10):
            await over.wait()  # a connection that outlives its loop is a warning in whichever test is next


def alert_notice(place: str) -> Notice:
    return Notice(ALERT.id, place, NoticeKind.ALERT, NoticeState.WAITING, 1, "", "")


async def test_slack_shows_refusals_in_plain_text(server: SlackServer, channel: SlackChannel) -> None:
    assert await channel.deliver_alert(alert_notice("slack:#soc"), ALERT) == "C024BE91L 1503435956.000001"
    (posted,) = server.posted
    assert posted["text"] == "acme/emea/bot: EGRESS_DENIED, 12 times, calling evil.example:443"
    assert posted["blocks"][-1]["elements"][0]["url"] == f"{URL}/decisions/d-1"
    assert all(block.get("text", {"type": "plain_text"})["type"] == "plain_text" for block in posted["blocks"])


async def test_teams_and_a_webhook_are_told_of_refusals() -> None:
    seen: list[tuple[str, bytes]] = []

    async def program(request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        if webhook.SIGNATURE in request.headers:
            timestamp = request.headers[webhook.TIMESTAMP].encode()
            expected = hmac.new(b"key", b"v1:%s:%s" % (timestamp, raw), sha256).hexdigest()
            assert request.headers[webhook.SIGNATURE] == f"v1={expected}"
        seen.append((request.headers.get(webhook.NOTICE, ""), raw))
        return web.Response()

    async with serving(program) as url:
        own = WebhookChannel({"soc": Hook(url, b"key")}, URL, SystemClock())
        others = TeamsChannel({"soc": url}, URL)
        await own.deliver_alert(alert_notice("webhook:soc"), ALERT)
        await others.deliver_alert(alert_notice("teams:soc"), ALERT)
        with pytest.raises(ChannelFault, match="the settings have no webhook:sco"):
            await own.deliver_alert(alert_notice("webhook:sco"), ALERT)
        await own.close()
        await others.close()
    (notice_id, body), (_, card) = seen
    assert notice_id == "alt_1.alert"
    assert json.loads(body) == {
        "notice": "alert",
        "alert": "alt_1",
        "org": "acme",
        "tenant": "emea",
        "agent": "bot",
        "reason": "EGRESS_DENIED",
        "destination": "evil.example:443",
        "count": 12,
        "first_at": 1000.0,
        "last_at": 1030.0,
        "decisions": ["d-1", "d-2"],
        "url": f"{URL}/decisions/d-1",
    }
    assert "acme/emea/bot: EGRESS_DENIED, 12 times" in card.decode()


async def test_a_mail_tells_of_refusals_under_one_id() -> None:
    server = SmtpServer()
    async with mail_server(server) as port:
        channel = MailChannel(MailServer("127.0.0.1", port, "aegis@acme.example", "", ""), URL, SystemClock())
        await channel.deliver_alert(alert_notice("email:soc@acme.example"), ALERT)
        with pytest.raises(ChannelFault, match="no address of mail"):
            await channel.deliver_alert(alert_notice("email:soc"), ALERT)
        await channel.close()
    received = message_from_bytes(server.mails[0], policy=SMTP)
    assert received["Message-ID"] == "<alt_1.alert@acme.example>"
    assert received["Subject"].strip() == "Refused: acme/emea/bot: EGRESS_DENIED, 12 times, calling evil.example:443"


async def test_the_log_is_a_channel_and_nobody_writes_lines_into_it(caplog: pytest.LogCaptureFixture) -> None:
    channel = LogChannel()
    await channel.deliver_alert(alert_notice("log"), replace(ALERT, destination="evil\nERROR forged"))
    await channel.deliver(notice("log"), HELD)
    assert not channel.tells_outcomes
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("alert alt_1: acme/emea/bot: EGRESS_DENIED, 12 times, calling evil\\nERROR forged. ")
    assert first.endswith("to 1970-01-01 00:17:10 UTC. Decisions: d-1, d-2")
    assert second.startswith(f"held {REQUEST.id}: ")


async def test_what_is_too_much_of_a_tenant_is_told_without_names(caplog: pytest.LogCaptureFixture) -> None:
    await LogChannel().deliver_alert(alert_notice("log"), replace(ALERT, agent=MANY, destination=MANY, count=1))
    (record,) = caplog.records
    assert "agents of acme/emea: EGRESS_DENIED, once, calling several destinations. " in record.getMessage()
