"""Two control planes behind one PostgreSQL, as processes: to whoever asks they are one, and one alone goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from aegis_authz.adapters.files.keys import open_keys
from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.approvals.document import approval_to_text
from aegis_authz.bootstrap.bundles import policy_builder
from aegis_authz.config.control import ControlSettings
from aegis_authz.core.approval import ApprovalRequest
from aegis_authz.core.release import Sources
from aegis_authz.core.scope import Scope
from tests.control.test_control_process import free_port, said, started, write
from tests.support.held_calls import REQUEST
from tests.support.local_servers import SlackServer, serving
from tests.support.real_postgres import new_database
from tests.support.real_redis import RealRedis
from tests.support.token_requests import assertion, binding, client_form, enrolment, private_key

pytestmark = pytest.mark.slow
Documents = Callable[..., Sources]
AGENT, KEY = Scope("acme", "emea", "finance-agent"), private_key(b"k")
PUBLIC_URL = "http://127.0.0.1:7000"
TOKEN, SIGNING_SECRET = "xoxb-test", "s" * 32


@dataclass
class Pair:
    """Two control planes of one mesh, and the Slack that both tell."""

    processes: list[asyncio.subprocess.Process]
    clients: list[httpx.AsyncClient]
    opas: list[httpx.AsyncClient]
    slack: SlackServer
    redis: RealRedis

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait until what that asks for is so."""
        async with asyncio.timeout(20):
            while not await holds():
                await asyncio.sleep(0.05)

    def hold(self, basis: str) -> ApprovalRequest:
        """Put a held call into Redis, as an authorizer does."""
        now = time.time()
        name = redis_keys.approval_id(AGENT, "0" * 32)
        request = replace(
            REQUEST, id=name, scope=AGENT, basis=basis, requested_at=now, expires_at=now + 900, groups=("finance",)
        )
        expires = str(int(request.expires_at * 1000))
        fields = {"state": "pending", "expires_at": expires, "document": approval_to_text(request).decode()}
        self.redis.command("HSET", redis_keys.approval(name), *(word for pair in fields.items() for word in pair))
        self.redis.command("ZADD", redis_keys.approvals(redis_keys.partition_of(AGENT)), expires, name)
        return request


@pytest.fixture
async def pair(
    settings: ControlSettings,
    documents: Documents,
    tmp_path: Path,
    postgres: str,
    real_redis: RealRedis,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Pair]:
    keys, slack = open_keys(settings.keys), SlackServer(TOKEN)
    write(settings, documents())
    monkeypatch.setenv("AEGIS_SLACK_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("AEGIS_SLACK_SIGNING_SECRET", SIGNING_SECRET)
    database = await new_database(postgres)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serving(slack.handle))
        processes, clients, opas = [], [], []
        for name in ("one", "two"):
            own = {"listen": f"127.0.0.1:{free_port()}", "state": tmp_path / name, "records": tmp_path / f"{name}-r"}
            common = {"database": database, "redis": real_redis.url, "bootstrap_owner_decides": True}
            channels = {"slack": {"api": f"{url}/api"}}
            placed = ControlSettings.model_validate(
                {**settings.model_dump(mode="json"), **own, **common, "channels": channels}
            )
            process = await stack.enter_async_context(started(placed, tmp_path / f"{name}.yaml"))
            await said(process, "listens on")
            processes.append(process)
            for token, kind in ((keys.admin_token, clients), (keys.opa_token, opas)):
                client = httpx.AsyncClient(
                    base_url=f"http://{placed.listen}", headers={"authorization": f"Bearer {token}"}, timeout=20
                )
                kind.append(await stack.enter_async_context(client))
        yield Pair(processes, clients, opas, slack, real_redis)


async def test_what_one_publishes_both_serve_and_one_alone_goes_on(pair: Pair, documents: Documents) -> None:
    one, two = pair.clients
    wanted = documents(7000)
    body = {"policies": dict(wanted.policies), "tools": dict(wanted.tools), "message": "more"}
    published = (await one.post("/v1/policies?wait=0", json=body)).json()["revision"]

    async def is_served() -> bool:
        return bool((await two.get("/v1/status")).json()["revision"] == published)

    await pair.until(is_served)
    bundles = [await opa.get("/bundles/aegis.tar.gz") for opa in pair.opas]
    assert bundles[0].content == bundles[1].content
    assert bundles[0].headers["etag"] == bundles[1].headers["etag"]
    history = [(await client.get("/v1/revisions")).json() for client in pair.clients]
    assert history[0] == history[1]
    assert [change["kind"] for change in history[0]["changes"]] == ["published", "first"]
    pair.processes[0].kill()
    await pair.processes[0].wait()
    back = await two.post("/v1/rollback?wait=0", json={"revision": history[1]["changes"][1]["revision"]})
    assert back.status_code == 200, back.text


async def test_of_two_that_publish_at_once_none_is_lost_without_a_word(pair: Pair, documents: Documents) -> None:
    bodies = [{"policies": dict(s.policies), "tools": dict(s.tools)} for s in (documents(n) for n in range(1, 9))]
    answers = await asyncio.gather(
        *(pair.clients[n % 2].post("/v1/policies?wait=0", json=body) for n, body in enumerate(bodies))
    )
    assert {answer.status_code for answer in answers} <= {200, 409}
    changes = (await pair.clients[0].get("/v1/revisions")).json()["changes"]
    line = [change["revision"] for change in reversed(changes)]
    assert [change["previous"] for change in reversed(changes)] == ["", *line[:-1]], "one history, without a gap"
    assert set(line[1:]) == {answer.json()["revision"] for answer in answers if answer.status_code == 200}


async def test_who_enrols_at_one_has_a_token_of_the_other_until_one_revokes(pair: Pair) -> None:
    one, two = pair.clients
    invited = await one.post(f"/v1/agents/{AGENT}/invite", json={"ttl": 600})
    code = invited.json()["code"]
    enrolled = await two.post("/v1/enroll", json=enrolment(code, KEY, time.time()))
    assert enrolled.status_code == 200, enrolled.text
    again = await one.post("/v1/enroll", json=enrolment(code, private_key(b"s"), time.time()))
    assert again.status_code == 403

    async def token(client: httpx.AsyncClient, number: int) -> httpx.Response:
        now = time.time()
        form = client_form(assertion(str(AGENT), KEY, now, jti=f"a-{number}"))
        return await client.post("/v1/token", data=form, headers={"DPoP": binding(KEY, now, jti=f"p-{number}")})

    assert (await token(one, 1)).status_code == 200
    assert (await two.post(f"/v1/agents/{AGENT}/revoke", json={"note": "stolen"})).status_code == 200
    numbers = iter(range(2, 100))

    async def is_refused() -> bool:
        return (await token(one, next(numbers))).status_code != 200

    await pair.until(is_refused)


async def test_a_held_call_is_told_once_and_decided_once(
    pair: Pair, settings: ControlSettings, documents: Documents
) -> None:
    live = policy_builder(settings, open_keys(settings.keys)).build(documents())
    assert live.bases is not None
    request = pair.hold(live.bases.of(AGENT, REQUEST.tool))
    async with asyncio.timeout(20), pair.slack.news:
        await pair.slack.news.wait_for(lambda: pair.slack.posted)
    path = f"/v1/approvals/{request.id}/approve"
    verdicts = await asyncio.gather(*(client.post(path, json={}) for client in pair.clients))
    assert sorted(verdict.status_code for verdict in verdicts) == [200, 409]
    async with asyncio.timeout(20), pair.slack.news:
        await pair.slack.news.wait_for(lambda: pair.slack.updated)
    assert (len(pair.slack.posted), len(pair.slack.updated)) == (1, 1)
    lines = [(await client.get("/v1/changes")).json() for client in pair.clients]
    assert lines[0] == lines[1]
