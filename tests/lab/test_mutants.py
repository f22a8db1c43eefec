"""Policies made slightly wrong, and whether tests notice, on the real Rego in a real OPA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.lab.cases import Case, cases_of
from aegis_authz.lab.mutants import Mutant, Mutants, mutants_of, spread, survivors
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.lab.trial import tried
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import Loaded, load
from tests.support.tried_policies import MORE_TESTS, POLICIES, TESTS, TOOLS

ANY_TOOL = "tool: any-api\nhost: any.example\nactions:\n  do: {match: POST /do}\n  see: {match: GET /see}\n"
MONDAYS = '{weekdays: [mon, tue], hours: "09:00-17:00", until: 2026-12-31}'


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def documents(policies: str = POLICIES) -> Loaded:
    return load({"agents.yaml": policies}, {"tools.yaml": TOOLS + "---\n" + ANY_TOOL})


def cases(loaded: Loaded, *texts: str) -> list[Case]:
    return cases_of({f"part{number}_test.yaml": text for number, text in enumerate(texts)}, loaded)


def left(opa: LabOpa, *texts: str) -> list[tuple[int, str]]:
    """Line and words of every mutant that these tests do not notice."""
    bench = Workbench(documents(), opa)
    known = cases(bench.loaded, *texts)
    assert all(one.passed for one in tried(bench, known))
    found = survivors(bench, known, mutants_of(bench.loaded.loaded_policies).distinct, lambda: None)
    return [(one.line, one.words) for one in found]


def of_document(text: str) -> Mutants:
    return mutants_of(documents(f"agent: one\nname: it\n{text}\n").loaded_policies)


def words(mutants: Mutants) -> set[str]:
    """What the mutants say, but for what is changed in every document."""
    return {one.words for one in mutants.distinct} - {"mode is shadow", "the rule for any-api is removed"}


def of_conditions(conditions: str, listed: str = "allowed_tools") -> set[str]:
    return words(of_document(f"{listed}:\n- {{name: any-api, actions: [do], conditions: {conditions}}}"))


def test_what_tests_cover_is_noticed_and_what_they_do_not_survives(opa: LabOpa) -> None:
    assert left(opa, TESTS) == [
        (17, "in Globex is removed"),
        (17, "optional: true is added"),
        (3, "the rule for payments-api is removed"),
    ]


def test_good_tests_notice_everything(opa: LabOpa) -> None:
    assert left(opa, TESTS, MORE_TESTS) == []


def test_without_tests_everything_survives(opa: LabOpa) -> None:
    assert len(left(opa)) == len(mutants_of(documents().loaded_policies).distinct)


def test_the_documents_run_as_they_are_when_all_is_done(opa: LabOpa) -> None:
    bench = Workbench(documents(), opa)
    known = cases(bench.loaded, TESTS)
    counted: list[None] = []

    survivors(bench, known, mutants_of(bench.loaded.loaded_policies).distinct[:5], lambda: counted.append(None))

    assert all(one.passed for one in tried(bench, known))
    assert len(counted) == 5


@pytest.mark.parametrize(
    ("conditions", "changes"),
    [
        ("{max_x: 10000}", {"max_x 10000 is removed", "max_x 10000 became 10001", "max_x 10000 is turned into over"}),
        ("{min_x: 0.5}", {"min_x 0.5 is removed", "min_x 0.5 became 0.4", "min_x 0.5 is turned into under"}),
        ("{approval_needed_over_x: 7}", {"approval_needed_over_x 7 is removed", "approval_needed_over_x 7 became 8"}),
        (
            "{parameters: {x: {over: 2}}}",
            {
                "over 2 is removed",
                "over 2 became 1",
                "over 2 is turned into max",
                "else is approval_needed",
                "optional: true is added",
            },
        ),
        (
            "{parameters: {x: {in: [a, b], else: approval_needed, optional: true}}}",
            {
                "in [a, b] is removed",
                "in a is removed",
                "in b is removed",
                "in [a, b] is turned into not_in",
                "else is deny",
                "optional is removed",
            },
        ),
        (
            "{parameters: {x: [{length: {min: 1, max: 5}}, {matches: a*}]}}",
            {
                "length {min, max} is removed",
                "length min 1 became 0",
                "length max 5 became 6",
                "length min 1 is removed",
                "length max 5 is removed",
                "matches a* is removed",
                "else is approval_needed",
                "optional: true is added",
            },
        ),
        ("{parameters: {x: {exists: true}}}", {"exists true is removed", "exists is false"}),
        (
            "{parameters: {x: {every: {max: 5}}}}",
            {
                "every {max} is removed",
                "every {max} is turned into any",
                "max 5 is turned into over",
                "max 5 became 6",
                "else is approval_needed",
                "optional: true is added",
            },
        ),
        (
            "{context: {token_age: {max: 60}}}",
            {"max 60 is removed", "max 60 became 61", "max 60 is turned into over", "else is approval_needed"},
        ),
        (
            f"{{context: {{time: {{within: [{MONDAYS}]}}}}}}",
            {
                "within is removed",
                "within is turned into not_within",
                "weekday mon is removed",
                "weekday tue is removed",
                "weekdays [mon, tue] is removed",
                "hours 09:00-17:00 is removed",
                "hours 09:00-17:00 became 08:59-17:00",
                "hours 09:00-17:00 became 09:00-17:01",
                "until 2026-12-31 is removed",
                "until 2026-12-31 became 2027-01-01",
                "else is approval_needed",
            },
        ),
        (
            "{schema: {required: [a, b], properties: {a: {maximum: 3}}}}",
            {
                "schema is removed",
                "required of the schema is removed",
                "required of the schema: a is removed",
                "required of the schema: b is removed",
                "properties of the schema is removed",
                "maximum of the schema 3 became 4",
            },
        ),
    ],
)
def test_every_condition_is_weakened_in_each_way(conditions: str, changes: set[str]) -> None:
    assert of_conditions(conditions) == changes


def test_bounds_of_a_rule_that_denies_move_the_other_way() -> None:
    assert of_conditions("{parameters: {x: {over: 1000}}}", "denied_tools") == {
        "over 1000 is removed",
        "over 1000 became 1001",
        "over 1000 is turned into max",
        "optional: true is added",
    }


def test_the_last_day_of_the_calendar_is_not_moved() -> None:
    said = of_conditions("{context: {time: {within: [{from: 0001-01-01, until: 9999-12-31}]}}}")

    assert said >= {"from 0001-01-01 is removed", "until 9999-12-31 is removed"}
    assert not any("became" in one for one in said)


def test_what_a_rule_demands_is_taken_away() -> None:
    rule = (
        "allowed_tools:\n- name: any-api\n  actions: [do, see]\n"
        "  approval: {groups: [a, b], always: true, hold: 20s, unattended: deny, proof: signed_in}\n"
        "  sanitize: {request: {detectors: [us_ssn, email]}, response: {fields: [/a]}}\n"
        "  obligations: {set_headers: [{name: x-a, value: one}]}"
    )

    assert words(of_document(rule)) == {
        "action do is removed",
        "action see is removed",
        "approval is removed",
        "always is removed",
        "groups are removed: any approver may approve",
        "proof is removed: a press in a chat counts",
        "unattended is removed: the call waits on",
        "group a is removed",
        "group b is removed",
        "sanitize is removed",
        "sanitize of the request is removed",
        "sanitize of the response is removed",
        "request detector us_ssn is removed",
        "request detector email is removed",
        "obligations are removed",
    }


def test_what_a_document_says_for_all_its_rules_is_taken_away() -> None:
    said = 'regions: [eu, us]\negress:\n  allow: [a.example, {host: "*.b.example", ports: [443]}]'

    assert words(of_document(said)) == {
        "regions are removed",
        "region eu is removed",
        "region us is removed",
        "egress to a.example is removed",
        "egress to *.b.example is removed",
        "ports of *.b.example are removed",
    }
    assert "mode is shadow" in {one.words for one in of_document(said).distinct}
    assert "mode is shadow" not in {one.words for one in of_document(f"mode: shadow\n{said}").distinct}


def test_changes_that_mean_the_same_are_no_mutants() -> None:
    """What is at most 5 is a number, whether that is said or not."""
    found = of_document(
        "allowed_tools:\n- {name: any-api, actions: [do], conditions: {parameters: {x: {type: number, max: 5}}}}"
    )

    assert "type number is removed" not in words(found)
    assert found.equivalent == 1


def test_a_template_is_changed_for_all_that_extend_it() -> None:
    second = "---\nagent: other\nname: second\nextends: house-rules\n"

    found = mutants_of(documents(POLICIES + second).loaded_policies).distinct

    [removal] = [one for one in found if one.line == 3]
    assert [one.document.title for one in removal.changed.values()] == ["paying", "second"]
    assert removal.field == "denied_tools[0]"


def test_a_rule_that_is_taken_away_leaves_the_names_of_the_others(opa: LabOpa) -> None:
    denying = (
        "agent: payer\nname: it\ndenied_tools:\n- {name: any-api, actions: [do]}\n- {name: any-api, actions: [see]}\n"
    )
    bench = Workbench(documents(denying), opa)
    text = (
        "tests:\n  - name: it\n    call: {agent: acme/emea/payer, tool: any-api, action: see}\n"
        '    expect: {effect: deny, findings: ["denied_tools[1] denied"]}\n'
    )

    found = survivors(bench, cases(bench.loaded, text), mutants_of(bench.loaded.loaded_policies).distinct, lambda: None)

    assert [one.field for one in found] == ["denied_tools[0]"]


def test_few_of_many_are_taken_evenly() -> None:
    many = [Mutant("a.yaml", line, "", "", {}) for line in range(10)]

    assert [one.line for one in spread(many, 4)] == [0, 2, 5, 7]
    assert spread(many, 10) == many
    assert spread(many, 99) == many
