"""Which agents there are, how they stand and what they may do."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from aegis_authz.control.agents.roster import Roster, Standing
from aegis_authz.control.policies.directory import Directory, RegisteredAgent
from aegis_authz.control.policies.published_documents import Published
from aegis_authz.core.breaker import Quarantine
from aegis_authz.core.registration import DEFAULT_WAYS
from aegis_authz.core.revocation import Revocation, Revoked, RevokedKind
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Revision
from aegis_authz.policy.load import load
from aegis_authz.ports.data_plane import StoreDown

POLICIES = {
    "bot.yaml": "org: acme\ntenant: emea\nagent: bot\nowner: payments\nallowed_tools: [{name: bank, actions: [pay]}]\n",
    "all.yaml": 'org: acme\ntenant: "*"\nagent: "*"\nname: all\ndenied_tools: [{name: bank, actions: [close]}]\n',
}
TOOL = "tool: bank\nhost: bank.example\nactions: {pay: {match: POST /pay}, close: {match: POST /close}}\n"
BOT, CLERK, GONE = (Scope("acme", "emea", name) for name in ("bot", "clerk", "gone"))
CLERKS = RegisteredAgent(MappingProxyType({"key-1": b"k"}), DEFAULT_WAYS, None, "finance", MappingProxyType({}))
DIRECTORY = Directory(MappingProxyType({CLERK: CLERKS}), (), None)
PUBLISHED = Published(Revision("r1"), load(POLICIES, {"bank.yaml": TOOL}))


class Stops:
    """What is revoked, scripted."""

    def __init__(self, *targets: Revoked) -> None:
        self.remembered = [Revocation(target, "ann", Epoch(1.0)) for target in targets]


class Quarantines:
    """Who is quarantined, scripted."""

    def __init__(self, *scopes: Scope, is_down: bool = False) -> None:
        self._entries = [Quarantine(scope, Epoch(1.0), Epoch(9.0), "ann") for scope in scopes]
        self._is_down = is_down

    async def list(self) -> list[Quarantine]:
        if self._is_down:
            raise StoreDown("Redis is away")
        return self._entries


def roster(stops: Stops | None = None, quarantines: Quarantines | None = None) -> Roster:
    return Roster(lambda: DIRECTORY, lambda: PUBLISHED, stops or Stops(), quarantines or Quarantines())


def everybody(_: Scope) -> bool:
    return True


async def test_whoever_is_registered_stopped_or_named_by_a_document_is_on_the_roster() -> None:
    book = roster(Stops(Revoked.agent(GONE)), Quarantines(Scope("acme", "apac", "loud")))
    entries = await book.entries(everybody)
    assert [str(entry.scope) for entry in entries] == [
        "acme/apac/loud",
        "acme/emea/bot",
        "acme/emea/clerk",
        "acme/emea/gone",
    ]
    assert [entry.standing for entry in entries] == [
        Standing.QUARANTINED,
        Standing.ACTIVE,
        Standing.ACTIVE,
        Standing.REVOKED,
    ]
    assert [entry.owner for entry in entries] == ["", "payments", "finance", ""]


async def test_only_agents_that_are_visible_are_on_it() -> None:
    entries = await roster(Stops(Revoked.agent(GONE))).entries(lambda scope: scope == GONE)
    assert [entry.scope for entry in entries] == [GONE]


@pytest.mark.parametrize(
    ("target", "standing"),
    [
        (Revoked(RevokedKind.TENANT, "acme", "emea", ""), Standing.REVOKED),
        (Revoked(RevokedKind.KEY, "acme", "emea", "key-1"), Standing.ACTIVE),
    ],
)
async def test_what_stops_an_agent_without_naming_it_is_told_with_it(target: Revoked, standing: Standing) -> None:
    entry = await roster(Stops(target, Revoked(RevokedKind.TENANT, "acme", "apac", ""))).entry(CLERK)
    assert [stop.target for stop in entry.revocations] == [target]
    assert entry.standing is standing


async def test_without_redis_nobody_is_said_to_be_well_but_who_is_revoked_is_known() -> None:
    book = roster(Stops(Revoked.agent(GONE)), Quarantines(is_down=True))
    standings = {entry.scope: entry.standing for entry in await book.entries(everybody)}
    assert standings == {BOT: Standing.UNKNOWN, CLERK: Standing.UNKNOWN, GONE: Standing.REVOKED}


async def test_rights_are_those_of_the_documents_that_are_published() -> None:
    revision, rights = await roster().rights(BOT)
    assert revision == "r1"
    assert [(row.action, row.effect.value) for row in rights.rows] == [("close", "deny"), ("pay", "allow")]
