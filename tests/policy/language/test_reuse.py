"""Names that stand for what is defined elsewhere."""

from __future__ import annotations

import pytest

from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

TOOLS = {"t.yaml": "tool: pay\nhost: pay.example\nmcp: {}\n"}
DEFINE = """\
define:
  lists: {suppliers: [ACME, Globex], holidays: [2026-12-25], within: [a, b], detectors: [c]}
  patterns: {iban: "[A-Z]{2}[0-9]+"}
  time_windows:
    office: {zone: Europe/Berlin, hours: "09:00-17:00", holidays: {list: holidays}}
  approvers: {finance: {groups: [finance-approvers], expires_in: 3600}}
  detectors: {identifiers: [us_ssn, date_of_birth], money: [iban, us_ssn]}
"""
START = "agent: a\nallowed_tools:\n  - name: pay\n    actions: [send]\n"


def one(rest: str, define: str = DEFINE, start: str = START) -> PolicyDocument:
    (document,) = load({"d.yaml": define, "p.yaml": f"{start}{rest}"}, TOOLS).policies
    return document


def told(rest: str, define: str = DEFINE, detectors: set[str] | None = None) -> list[str]:
    with pytest.raises(PolicyErrors) as caught:
        load({"d.yaml": define, "p.yaml": f"{START}{rest}"}, TOOLS, detectors)
    return [f"{problem.path}:{problem.field}: {problem.message}" for problem in caught.value.problems]


def parameters(of: str) -> str:
    return f"    conditions: {{parameters: {{x: {of}}}}}\n"


@pytest.mark.parametrize("word", ["in", "not_in", "approval_needed_in", "host_in"])
def test_a_list_stands_wherever_a_list_of_values_does(word: str) -> None:
    define = "define: {lists: {hosts: [a.example, b.example]}}\n"
    named, written = (
        one(parameters(f"{{{word}: {of}}}"), define) for of in ("{list: hosts}", "[a.example, b.example]")
    )
    assert named == written


def test_lists_stand_in_elements_actions_and_egress_as_well() -> None:
    define = "define: {lists: {hosts: [a.example], actions: [send, get]}}\n"
    start = START.replace("[send]", "{list: actions}")
    document = one(parameters("{every: {host_in: {list: hosts}}}") + "egress: {allow: {list: hosts}}\n", define, start)
    assert document.allowed_tools[0].actions == ("send", "get")
    assert [entry.host for entry in document.egress.allow] == ["a.example"]


def test_a_pattern_stands_in_matches() -> None:
    assert one(parameters("{matches: {pattern: iban}}")) == one(parameters('{matches: "[A-Z]{2}[0-9]+"}'))


def test_a_window_brings_its_name_and_the_holidays_it_lists() -> None:
    document = one("    conditions: {context: {time: {within: [office]}}}\n")
    time = document.allowed_tools[0].conditions.context.time
    assert time is not None
    assert time.within is not None
    (window,) = time.within
    assert (window.name, window.zone, window.holidays) == ("office", "Europe/Berlin", ("2026-12-25",))


def test_a_window_written_out_may_use_a_list_of_holidays() -> None:
    text = "    conditions: {context: {time: {not_within: [{holidays: {list: holidays}}, office]}}}\n"
    time = one(text).allowed_tools[0].conditions.context.time
    assert time is not None
    assert time.not_within is not None
    assert [window.holidays for window in time.not_within] == [("2026-12-25",), ("2026-12-25",)]


def test_approvers_are_taken_over_and_own_members_win() -> None:
    approval = one("    approval: {approvers: finance, always: true, expires_in: 60}\n").allowed_tools[0].approval
    assert approval is not None
    assert (approval.groups, approval.expires_in, approval.always) == (("finance-approvers",), 60, True)


def test_sets_of_detectors_are_merged_with_each_other_and_with_single_ones() -> None:
    for written in ("[identifiers, money, jwt]", "[us_ssn, identifiers, jwt, money]"):
        sanitize = one(f"    sanitize: {{response: {{detectors: {written}}}}}\n").allowed_tools[0].sanitize
        assert sanitize is not None
        assert sanitize.response is not None
        assert sorted(sanitize.response.detectors) == ["date_of_birth", "iban", "jwt", "us_ssn"]


@pytest.mark.parametrize("written", ["[us_ssn, us_ssn]", "[money, jwt, jwt]"])
def test_a_detector_that_is_written_twice_is_a_mistake(written: str) -> None:
    assert told(f"    sanitize: {{response: {{detectors: {written}}}}}\n") == [
        "p.yaml:allowed_tools[0].sanitize.response.detectors: names something twice"
    ]


def test_names_are_written_out_in_templates() -> None:
    template = START.replace("agent: a", "template: t") + parameters("{in: {list: suppliers}}")
    documents = load({"d.yaml": DEFINE, "t.yaml": template, "p.yaml": "agent: a\nextends: t\n"}, TOOLS).policies
    assert documents[0].allowed_tools[0].conditions.parameters["x"][0].allowed == ("ACME", "Globex")


def test_a_json_schema_is_left_as_it_is() -> None:
    schema = "{properties: {pay: {enum: [{list: suppliers}]}, matches: {const: {pattern: iban}}}}"
    conditions = one(f"    conditions: {{schema: {schema}}}\n").allowed_tools[0].conditions
    assert conditions.arguments == {
        "properties": {"pay": {"enum": [{"list": "suppliers"}]}, "matches": {"const": {"pattern": "iban"}}}
    }
    inner = one(parameters("{schema: {enum: [{list: nope}]}}")).allowed_tools[0].conditions.parameters["x"][0]
    assert inner.json_schema == {"enum": [{"list": "nope"}]}


@pytest.mark.parametrize("name", ["schema", "within", "not_within", "detectors", "matches", "list", "approval"])
def test_a_parameter_may_be_called_like_a_word_of_the_language(name: str) -> None:
    for rules in ("{in: {list: suppliers}}", "[{in: {list: suppliers}}, {not: x}]"):
        rule = one(f"    conditions: {{parameters: {{{name}: {rules}}}}}\n").allowed_tools[0]
        assert rule.conditions.parameters[name][0].allowed == ("ACME", "Globex")


@pytest.mark.parametrize("name", ["within", "detectors"])
def test_a_definition_may_be_called_like_a_word_of_the_language(name: str) -> None:
    assert one(parameters(f"{{in: {{list: {name}}}}}")).allowed_tools[0].conditions.parameters["x"][0].allowed


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (parameters("{in: {list: supplier}}"), "conditions.parameters.x.in.list: no list 'supplier' is defined"),
        (parameters("{matches: {pattern: ibn}}"), "x.matches.pattern: no pattern 'ibn' is defined; did you mean 'iban'?"),
        ("    conditions: {context: {time: {within: [ofice]}}}\n", "no time window 'ofice' is defined; did you mean"),
        ("    approval: {approvers: finances, always: true}\n", "no approvers 'finances' are defined; did you mean"),
        ("    conditions:\n      parameters:\n        x:\n          in:\n            list: nope\n", "no list 'nope' is"),
    ],
)  # fmt: skip
def test_a_name_that_is_not_defined_is_said_once_with_the_nearest(rest: str, expected: str) -> None:
    (problem,) = told(rest)
    assert expected in problem


def test_a_list_that_names_another_list_is_a_mistake_of_its_definition() -> None:
    define = "define: {lists: {a: [{list: b}], b: [x]}}\n"
    (problem,) = told(parameters("{in: {list: a}}"), define)
    assert problem.endswith("define.lists.a[0]: must be a text, a number, true or false, not a mapping")


def test_a_window_cannot_name_itself_or_others() -> None:
    define = "define: {time_windows: {a: {within: [a]}, b: {holidays: [2026-01-01], not_within: [a, b]}}}\n"
    problems = told("    conditions: {context: {time: {within: [a, b]}}}\n", define)
    assert [problem.split(": ")[0] for problem in problems] == [
        "d.yaml:define.time_windows.a.within", "d.yaml:define.time_windows.b.not_within",
    ]  # fmt: skip


def test_a_name_is_defined_once() -> None:
    define = "define: {lists: {a: [x]}}\n---\ndefine: {lists: {a: [z]}}\n"
    assert told("", define) == ["d.yaml:define.lists.a: 'a' is defined twice"]


def test_a_detector_that_does_not_exist_is_said_where_the_set_is_defined() -> None:
    define = "define: {detectors: {identifiers: [us_snn]}}\n"
    rest = "    sanitize: {response: {detectors: [identifiers]}}\n"
    assert told(rest, define, {"us_ssn"}) == [
        "d.yaml:define.detectors.identifiers[0]: no detector 'us_snn'; did you mean 'us_ssn'?"
    ]


def test_the_kind_of_a_definition_must_be_known() -> None:
    assert told("", "define: {list: {a: [x]}}\n") == ["d.yaml:define.list: unknown key 'list'; did you mean 'lists'?"]


OWN = """\
define:
  detectors:
    badge: {pattern: 'B[0-9]{6}', validator: luhn}
    identifiers: [us_ssn, badge]
"""


@pytest.mark.parametrize("written", ["[badge, us_ssn]", "[identifiers]", "[identifiers, badge]"])
def test_a_detector_of_policy_stands_beside_the_others_by_its_name(written: str) -> None:
    sanitize = one(f"    sanitize: {{response: {{detectors: {written}}}}}\n", OWN).allowed_tools[0].sanitize
    assert sanitize is not None and sanitize.response is not None
    assert sanitize.response.detectors == ("us_ssn",)
    own = [(detector.name, detector.pattern, detector.validator) for detector in sanitize.response.own]
    assert own == [("badge", "B[0-9]{6}", "luhn")]


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        ("badge: {pattern: 'B[0-9'}", "is not an RE2 pattern"),
        ("badge: {pattern: B, validator: lunn}", "did you mean 'luhn'?"),
        ("badge: {patern: B}", "did you mean 'pattern'?"),
        ("us_ssn: {pattern: B}", "'us_ssn' is the name of a detector that is there already"),
        ("ids: [badge]", "no detector 'badge'"),
    ],
)
def test_a_detector_of_policy_that_is_none_is_an_error(definition: str, problem: str) -> None:
    with pytest.raises(PolicyErrors) as errors:
        load({"d.yaml": f"define:\n  detectors: {{{definition}}}\n"}, TOOLS, {"us_ssn"})
    assert any(problem in str(one) for one in errors.value.problems)
