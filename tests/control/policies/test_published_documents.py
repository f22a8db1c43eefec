"""The documents of now are read once for each revision."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.control.policies.published_documents import NOTHING, PublishedDocuments
from aegis_authz.core.release import Sources
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Revision
from aegis_authz.policy.load import Loaded, load
from aegis_authz.testing.proposals import MemoryProposals
from aegis_authz.testing.releases import MemoryReleases

TOOL = {"bank.yaml": "tool: bank\nhost: bank.example\nactions: {pay: {match: POST /pay}}\n"}
RULE = "allowed_tools: [{name: bank, actions: [pay], rate_limit: 3/s}]\n"
OWN = {"bot.yaml": f"org: acme\ntenant: emea\nagent: bot\n{RULE}"}
OTHERS = {"other.yaml": f"org: acme\ntenant: apac\nagent: bot\n{RULE}", "all.yaml": f'agent: "*"\nname: all\n{RULE}'}


class Releases(MemoryReleases):
    """Releases of which one is current."""

    def __init__(self) -> None:
        super().__init__(MemoryProposals(for_tests=True), for_tests=True)
        self.served: dict[str, Mapping[str, str]] = {}
        self.now = Revision("")

    def current(self) -> Revision:
        return self.now

    def sources(self, revision: Revision) -> Sources:
        return Sources(self.served[revision], TOOL)


def test_documents_are_read_again_only_where_another_revision_is_published() -> None:
    releases, read = Releases(), []

    def loaded(sources: Sources) -> Loaded:
        read.append(sources)
        return load(sources.policies, sources.tools)

    documents = PublishedDocuments(releases, loaded)
    assert documents.current() == NOTHING
    for number in ("r1", "r2"):
        releases.now, releases.served[number] = Revision(number), OWN
        assert documents.current() is documents.current()
        assert documents.current().revision == number
    assert len(read) == 2


def test_the_limits_of_an_agent_are_those_of_the_documents_about_it() -> None:
    releases = Releases()
    releases.now, releases.served["r1"] = Revision("r1"), {**OWN, **OTHERS}
    documents = PublishedDocuments(releases, lambda sources: load(sources.policies, sources.tools))
    limits = documents.limits(Scope("acme", "emea", "bot"))
    assert sorted(limit.policy for limit in limits) == ["acme/emea/bot", "all"]
