from __future__ import annotations

from aegis_authz.core.release import Sources
from aegis_authz.policy.load import load
from aegis_authz.policy.release_changes import ReleaseChange, release_changes

POLICY = "agent: payer\nname: paying\nallowed_tools:\n- name: payments\n  actions: [pay]\n"
TOOL = "tool: payments\nhost: pay.example\nactions:\n  pay: {match: POST /pay}\n"
PRICES = "prices:\n  currency: EUR\n  models:\n    small: {input: 1, output: 2}\n"
AGENTS = "agents:\n  acme/emea/payer:\n    owner: ann\n"


def changes(before: Sources, after: Sources) -> list[ReleaseChange]:
    old, new = ((sources, load(sources.policies, sources.tools)) for sources in (before, after))
    return [*release_changes(old, new)]


def sources(policies: str = POLICY, tools: str = TOOL) -> Sources:
    return Sources({"policies.yaml": policies}, {"tools.yaml": tools})


def test_policies_and_tools_are_compared_together() -> None:
    after = sources(POLICY.replace("[pay]", '["*"]'), TOOL.replace("/pay}", "/v2/pay}"))
    assert [(change.mark, change.noun, change.name, change.at) for change in changes(sources(), after)] == [
        ("+", "policy", "paying", "allows payments: *"),
        ("-", "policy", "paying", "allows payments: pay"),
        ("~", "tool", "payments", "pay"),
    ]


def test_prices_of_models_are_compared() -> None:
    before = sources(tools=f"{TOOL}---\n{PRICES}")
    after = sources(tools=f"{TOOL}---\n{PRICES.replace('output: 2', 'output: 3')}")
    assert [(change.name, change.at) for change in changes(before, after)] == [("prices", "small")]


def test_registrations_of_agents_that_come_go_and_differ_are_told() -> None:
    registered = sources(f"{POLICY}---\n{AGENTS}")
    altered = sources(f"{POLICY}---\n{AGENTS.replace('ann', 'ben')}")
    assert changes(sources(), registered) == [ReleaseChange("+", "agent", "acme/emea/payer", "", "is registered")]
    assert [change.mark for change in changes(registered, sources())] == ["-"]
    assert [change.mark for change in changes(registered, altered)] == ["~"]


def test_files_that_were_only_moved_are_no_difference() -> None:
    moved = Sources({"other/policy.yaml": f"# moved\n{POLICY}"}, {"shop.yaml": TOOL})
    assert changes(sources(), moved) == []
