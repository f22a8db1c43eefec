from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.commands.reach_proof import Reach, reach_troubles
from aegis_authz.config.channels import ChannelSettings
from aegis_authz.core.person import Person, RoleBinding
from aegis_authz.policy.load import load

TOOLS = "tool: bank\nhost: bank.example\nmcp: {}\n"
NO_CHANNELS = ChannelSettings()
SLACK = ChannelSettings.model_validate({"slack": {}})


def person(name: str, *groups: str, role: str = "approver@acme/emea") -> Person:
    return Person(name, name, frozenset(groups), (RoleBinding.parse(role),))


def troubles(approval: str, *people: Person, tenant: str = "emea", **more: Any) -> list[str]:
    rule = f"  - {{name: bank, actions: [pay], approval: {{always: true, {approval}}}}}\n"
    text = f"org: acme\ntenant: {tenant}\nagent: a\nallowed_tools:\n{rule}"
    reach = Reach(people, more.get("owner", False), more.get("channels", NO_CHANNELS))
    return reach_troubles(load({"p.yaml": text}, {"t.yaml": TOOLS}), reach)


def test_a_rule_reaches_people_of_its_groups_with_the_role_in_its_tenant() -> None:
    assert troubles("groups: [finance]", person("ann", "finance")) == []
    assert troubles("groups: [finance]", person("ann", "finance"), tenant='"*"') == []
    assert troubles("expires_in: 60", person("ann")) == [], "any approver"


@pytest.mark.parametrize(
    ("approval", "people"),
    [
        ("groups: [finance]", ()),
        ("groups: [finance]", (person("ann", "board"),)),
        ("groups: [finance]", (person("ann", "finance", role="viewer"),)),
        ("groups: [finance]", (person("ann", "finance", role="approver@acme/apac"),)),
        ("groups: [finance], approvals: 2", (person("ann", "finance"), person("ann", "finance"))),
    ],
)
def test_a_group_without_enough_people_who_may_decide_is_a_trouble(approval: str, people: tuple[Person, ...]) -> None:
    (trouble,) = troubles(approval, *people)
    assert trouble.startswith("acme/emea/a: bank pay needs ")


def test_the_admin_token_is_one_person_and_none_of_several() -> None:
    assert troubles("groups: [finance]", owner=True) == []
    assert len(troubles("groups: [finance], approvals: 2", person("ann", "finance"), owner=True)) == 1


def test_a_channel_that_is_not_there_is_a_trouble() -> None:
    told = 'groups: [finance], notify: ["slack:#finance"]'
    assert troubles(told, person("ann", "finance"), channels=SLACK) == []
    assert "no such channel" in troubles(told, person("ann", "finance"))[0]
    for place in ("teams:ops", "webhook:soc", "email:a@acme.example"):
        assert "no such channel" in troubles(f'notify: ["{place}"]', person("ann"), channels=SLACK)[0]


def test_a_document_that_only_observes_asks_nobody() -> None:
    text = "agent: a\nmode: shadow\nallowed_tools:\n  - {name: bank, actions: [pay], approval: {always: true}}\n"
    assert reach_troubles(load({"p.yaml": text}, {"t.yaml": TOOLS}), Reach((), False, NO_CHANNELS)) == []
