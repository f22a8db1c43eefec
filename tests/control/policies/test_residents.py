from __future__ import annotations

import pytest

from aegis_authz.control.policies.residents import home_sources, home_tests, residency_of
from aegis_authz.core.release import Sources
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

REGIONS = "residency: {eu: {tenants: [acme/emea]}, us: {tenants: [acme/amer]}}\n"
EMEA = "org: acme\ntenant: emea\nagent: bot\nallowed_tools: []\n"
AMER = "org: acme\ntenant: amer\nagent: bot\nallowed_tools: []\n"
HOUSE = "template: house\nallowed_tools: []\n"


def sources(**files: str) -> Sources:
    return Sources({f"{name}.yaml": text for name, text in {"regions": REGIONS, **files}.items()}, {"t.yaml": "tool"})


def told(fault: pytest.ExceptionInfo[PolicyErrors]) -> str:
    return " ".join(f"{problem.path}: {problem.message}" for problem in fault.value.problems)


def test_files_of_other_regions_are_left_out_and_all_others_stay() -> None:
    given = sources(emea=EMEA, amer=AMER, house=HOUSE)
    kept = home_sources(given, "eu")
    assert sorted(kept.policies) == ["emea.yaml", "house.yaml", "regions.yaml"]
    assert kept.tools == given.tools
    assert home_sources(kept, "eu") == kept


def test_without_a_region_all_stay() -> None:
    assert home_sources(sources(emea=EMEA, amer=AMER), "") == sources(emea=EMEA, amer=AMER)


@pytest.mark.parametrize("beside", [EMEA, HOUSE])
def test_a_file_that_is_about_others_as_well_is_refused(beside: str) -> None:
    with pytest.raises(PolicyErrors) as fault:
        home_sources(sources(mixed=f"{AMER}---\n{beside}"), "eu")
    assert told(fault) == "mixed.yaml: is about tenants of another region than eu: put it into a file of its own"


CASE = "tests:\n  - {{name: a, call: {{agent: acme/{tenant}/bot, tool: t, action: a}}, expect: {{effect: deny}}}}\n"
STEPS = "tests:\n  - {{name: a, sequence: [{{call: {{agent: acme/{tenant}/bot}}, expect: {{effect: deny}}}}]}}\n"
IDENTITY = "identities:\n  - {{name: a, spiffe: 'spiffe://a/b', expect: {{agent: acme/{tenant}/bot}}}}\n"


@pytest.mark.parametrize("text", [CASE, STEPS, IDENTITY])
def test_tests_about_agents_of_other_regions_are_neither_run_nor_kept(text: str) -> None:
    tests = {f"{tenant}_test.yaml": text.format(tenant=tenant) for tenant in ("emea", "amer")}
    assert sorted(home_tests(sources(), tests, "eu")) == ["emea_test.yaml"]
    assert home_tests(sources(), tests, "") == tests
    with pytest.raises(PolicyErrors) as fault:
        home_tests(sources(), {"a_test.yaml": "---\n".join(tests.values())}, "eu")
    assert told(fault) == (
        "a_test.yaml: is about agents of another region than eu: put their tests into a file of its own"
    )


def test_tests_about_nobody_are_at_home_everywhere() -> None:
    tests = {"a_test.yaml": "identities: [{name: a, key: b, expect: {refused: unregistered}}]\n", "b_test.yaml": "[1"}
    assert home_tests(sources(), tests, "eu") == tests


@pytest.mark.parametrize("agent", ["bot", "", "acme/emea", "acme/amer/bot/more"])
def test_what_is_the_name_of_no_agent_is_left_to_whoever_reads_the_tests(agent: str) -> None:
    call = f"{{agent: {agent!r}, tool: t, action: a}}"
    tests = {
        "a_test.yaml": f"tests: [{{name: a, call: {call}, expect: {{effect: deny}}}}]\n",
        "b_test.yaml": CASE.format(tenant="emea").replace("action: a", f"action: a, parameters: {{agent: {agent!r}}}"),
    }
    assert home_tests(sources(), tests, "eu") == tests


def test_a_document_of_agents_of_two_regions_is_refused() -> None:
    with pytest.raises(PolicyErrors) as fault:
        home_sources(sources(agents="agents: {acme/emea/bot: {}, acme/amer/bot: {}}\n"), "eu")
    assert "registers agents of this region and of others: put them into files of their own" in told(fault)


@pytest.mark.parametrize(
    ("text", "region", "message"),
    [
        (REGIONS, "", "pins tenants to regions, and the control plane has none: set `region` in its settings"),
        (REGIONS, "ap", "names eu, us, and no tenants of ap, the `region` of the control plane's settings"),
        (HOUSE, "eu", "no document says which tenants are at home in eu: publish one with `residency`"),
    ],
)
def test_documents_and_settings_that_disagree_are_refused_with_what_to_do(text: str, region: str, message: str) -> None:
    with pytest.raises(PolicyErrors) as fault:
        residency_of(load({"regions.yaml": text}, {}).residency, region, frozenset())
    assert message in told(fault)


def test_what_is_of_no_region_has_no_residency() -> None:
    assert residency_of(load({"house.yaml": HOUSE}, {}).residency, "", frozenset()) is None
