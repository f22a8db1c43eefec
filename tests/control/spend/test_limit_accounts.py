"""GET /v1/limits/{agent}: which limits cover an agent, and how they stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.api.limits import LimitAnswer
from aegis_authz.bootstrap.control_stores import LimitStores
from aegis_authz.cli.limits_text import limits_table
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.testing.store import MemoryStore
from tests.support.token_requests import private_key, public_jwk

Client = Callable[[ControlServices, str], httpx.AsyncClient]
TOOL = "tool: bank\nhost: bank.example\ncost: {fixed: 0.5, currency: USD}\nactions: {pay: {match: POST /pay}}\n"
RULE = "allowed_tools: [{name: bank, actions: [pay], budget: 5 USD/day, rate_limit: 3/s}]\n"
POLICIES = {
    "bot.yaml": f"org: acme\ntenant: emea\nagent: bot\n{RULE}",
    "all.yaml": 'org: acme\ntenant: "*"\nagent: "*"\nname: all\nlimits: [{name: calls, count: 9/day}]\nallowed_tools: []\n',
    "else.yaml": f"org: acme\ntenant: apac\nagent: bot\n{RULE}",
}


class NotFirst:
    """The memory of limits was begun long ago."""

    def life(self) -> str:
        return ""

    def begin(self, life: str) -> None:
        raise AssertionError("it was begun")

    def finish(self) -> None:
        raise AssertionError("it was begun")


@pytest.fixture
async def plane(new_plane: Callable[..., ControlServices]) -> ControlServices:
    store = MemoryStore(SystemClock(), 60, for_tests=True)
    services = new_plane(limits=LimitStores(store, store, NotFirst(), store))
    await services.publisher.publish(Sources(POLICIES, {"bank.yaml": TOOL}), {}, "ann", "")
    return services


async def test_the_limits_of_the_documents_that_cover_an_agent_are_shown(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "ann") as admin:
        answer = (await admin.get("/v1/limits/acme/emea/bot")).json()["limits"]
        assert (await admin.get("/v1/limits/other/emea/bot")).json() == {"limits": []}
    by_kind = {entry["kind"]: entry for entry in answer}
    assert set(by_kind) == {"budget", "rate", "count"}
    budget = by_kind["budget"]
    assert (budget["used"], budget["left"], budget["of"], budget["currency"]) == (0, 5_000_000, 5_000_000, "USD")
    assert budget["policy"] == "acme/emea/bot"
    table = [*limits_table([LimitAnswer.model_validate(entry) for entry in answer])]
    assert len(table) == 4 and any("5.00 USD" in line for line in table)
    assert [*limits_table(())] == ["no limit covers this agent"]
    async with client(plane, "no token") as nobody:
        assert (await nobody.get("/v1/limits/acme/emea/bot")).status_code == 401


async def test_limits_are_shown_while_a_document_registers_an_agent_of_this_machine(
    new_plane: Callable[..., ControlServices], settings: ControlSettings, client: Client, tmp_path: Path
) -> None:
    for part in ("policies", "tools"):
        (tmp_path / "probe" / part).mkdir(parents=True)
    local = json.dumps({"agents": {"acme/emea/bot": {"keys": [public_jwk(private_key(b"l"))]}}})
    (tmp_path / "probe" / "policies" / "local-agents.yaml").write_text(local)
    store = MemoryStore(SystemClock(), 60, for_tests=True)
    plane = new_plane(
        settings=settings.model_copy(update={"probe": tmp_path / "probe"}),
        limits=LimitStores(store, store, NotFirst(), store),
    )
    own = json.dumps({"agents": {"acme/emea/bot": {"keys": [public_jwk(private_key(b"o"))]}}})
    await plane.publisher.publish(Sources({**POLICIES, "who.yaml": own}, {"bank.yaml": TOOL}), {}, "ann", "")
    async with client(plane, "ann") as admin:
        answer = await admin.get("/v1/limits/acme/emea/bot")
    assert (answer.status_code, len(answer.json()["limits"])) == (200, 3)
