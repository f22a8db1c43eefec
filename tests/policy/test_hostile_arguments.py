"""What hostile arguments get, condition by condition; docs/hostile-arguments.md is this table.

`AEGIS_WRITE_DOCS=1 pytest tests/policy/test_hostile_arguments.py` writes the page anew. Which values may pass is written
here by hand; the verdicts are those of the real reader of bodies and the real Rego on OPA.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import strict_json
from aegis_authz.lab.calls import TriedCall, question_of
from aegis_authz.lab.opa import lab_opa
from aegis_authz.limits.charges import Sessions, charges_of
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.compile.limits import limits_of
from aegis_authz.policy.compile.rules import compiled_document
from aegis_authz.policy.language.document import PolicyDocument
from tests.support.hostile_values import (
    ADDRESSES,
    COMMON,
    DENIALS,
    DENIED_PLACES,
    LISTS,
    NUMBERS,
    PLACES,
    TEXTS,
    Hostile,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hostile-arguments.md"
NOBODY = Catalogue.of(())

Conditions = Mapping[str, dict[str, Any]]
SECTIONS: dict[str, tuple[Conditions, tuple[Hostile, ...]]] = {
    "Numbers": (NUMBERS, COMMON),
    "Texts": (TEXTS, COMMON),
    "Lists, members and the whole": (LISTS, COMMON),
    "Hosts, URLs and addresses": (ADDRESSES, (*COMMON, *PLACES)),
    "Rules that deny": (DENIALS, COMMON),
    "Rules that deny places": (DENIED_PLACES, (*COMMON, *PLACES)),
}

TO_5000 = {"5", "5000", "5000.0", "5e3", "0", "-0"}
ABOVE_5000 = {"5000.01", "5000.000000000001", "50000", "2^53+1"}
NEGATIVE = {"-1", "-50000"}
NUMBER = TO_5000 | ABOVE_5000 | NEGATIVE
TEXT = {hostile.label for hostile in COMMON if hostile.label.startswith('"') and "half a pair" not in hostile.label}
TEXT |= {"10,000 letters"}
LIST = {hostile.label for hostile in COMMON if hostile.label.startswith("[")}
OBJECT = {"{}", '{"v": 5}', '{"v": 50000}'}
ANYTHING = NUMBER | TEXT | LIST | OBJECT | {"null", "true", "false"}

MAY_PASS: dict[str, set[str]] = {
    "max_x: 5000": TO_5000,
    "approval_needed_over_x: 5000": TO_5000,
    "min: 5": (TO_5000 | ABOVE_5000) - {"0", "-0"},
    "over: 5": (TO_5000 | ABOVE_5000) - {"0", "-0", "5"},
    "under: 5000": {"5", "0", "-0"},
    "equals: 5": {"5"},
    "not: 50000": NUMBER - {"50000"},
    "in: [5, 5000]": {"5", "5000", "5000.0", "5e3"},
    "type: integer": NUMBER - {"5000.01", "5000.000000000001"},
    "max: {parameter: other}": TO_5000,
    "max, optional": TO_5000 | {"nothing there", "null"},
    "max, else: approval": TO_5000,
    "schema: maximum": TO_5000,
    "equals: ACME": {'"ACME"'},
    "not: Mallory": TEXT - {'"Mallory"'},
    "in: [ACME]": {'"ACME"'},
    "in, else: approval": {'"ACME"'},
    "not_in: [Mallory]": TEXT - {'"Mallory"'},
    "approval_needed_in: [Mallory]": TEXT - {'"Mallory"'},
    'matches: "[A-Z]{4}"': {'"ACME"'},
    "starts_with: AC": {label for label in TEXT if label.startswith('"AC')},
    "ends_with: ME": {'"ACME"', '" ACME"', '"AC\\u200bME" (zero width)', '"АCME" (Cyrillic A)'},
    "length: {max: 4}": {
        *('""', '"5"', '"5000"', '" 5"', '"5 "', '"５" (full width)', '"٥" (Arabic)', '"null"', '"true"'),
        *('"ACME"', '"acme"', '"АCME" (Cyrillic A)', '"ＡＣＭＥ" (full width)'),
    },
    "equals: true": {"true"},
    "schema: enum": {'"ACME"'},
    "exists: true": ANYTHING,
    "exists: false": {"nothing there"},
    "count: {max: 1}": LIST - {'["ACME", "Mallory"]'},
    "every: {in: [ACME]}": {"[]", '["ACME"]'},
    "every: {max: 5000}": {"[]", "[5]"},
    "any: {in: [ACME]}": {'["ACME"]', '["ACME", "Mallory"]'},
    "/x/v max: 5000": {'{"v": 5}'},
    "/x/v max, optional": {'{"v": 5}', "{}", "nothing there", "null"},
    "schema of all": {"5"},
    "host_in: [bank.com]": {"bank.com", "BANK.com"},
    'host_in: ["*.bank.com"]': {"a.bank.com"},
    "url_host_in: [bank.com]": {"https://bank.com/x", "https://bank.com:8443/x"},
    "email_domain_in: [bank.com]": {"ann@bank.com"},
    "in_ranges: [10.0.0.0/8]": {"10.1.2.3"},
    "not_in_ranges: [10.0.0.0/8]": {"11.1.2.3", "2001:db8::1"},
    "denied over: 5000": TO_5000 | NEGATIVE,
    "denied in: [Mallory]": TEXT - {'"Mallory"'},
    "denied over, optional": TO_5000 | NEGATIVE | {"nothing there", "null"},
    "denied exists: true": {"nothing there"},
    "denied every: {over: 5000}": {"[5]"},
    "denied url_host_in: [bank.com]": {"https://evil.example/@bank.com"},
    "denied schema: number over 5000": TO_5000 | NEGATIVE,
    "denied schema: not a number to 5000": TO_5000 | NEGATIVE,
    "denied schema: enum": TEXT - {'"Mallory"'},
    "denied schema of all": (TO_5000 | NEGATIVE) | {"nothing there"},
    "denied in_ranges: [10.0.0.0/8]": {"11.1.2.3", "2001:db8::1"},
    "denied not_in_ranges: [10.0.0.0/8]": {"10.1.2.3"},
}
"""By condition, the values that may pass; all others are refused or held."""

LIMITS: dict[str, dict[str, Any]] = {
    "budget of: {parameter: x}": {
        "budget": {"amount": 1_000_000, "currency": "EUR", "per": "day", "of": {"parameter": "x"}}
    },
    "distinct: {parameter: x}": {"distinct": {"parameter": "x", "max": 3, "per": "day"}},
}
COUNTED: dict[str, set[str]] = {
    "budget of: {parameter: x}": (TO_5000 | ABOVE_5000) - {"0", "-0", "2^53+1"},
    "distinct: {parameter: x}": (NUMBER | TEXT | {"true", "false"} | LIST) - {"[]", "[[5]]"},
}
"""By limit, the values that can be counted; a call with any other is denied, and none is free."""

_UNREAD = {Reason.DUPLICATE_KEY: "doubled", Reason.MALFORMED_CALL: "unread"}
_WORDS = {
    Reason.POLICY_DENIED: "denied",
    Reason.PARAMETER_TYPE: "type",
    Reason.PARAMETER_MISSING: "missing",
    Reason.APPROVAL_NEEDED: "held",
}


def _document(number: int, name: str, conditions: dict[str, Any]) -> PolicyDocument:
    rule = {"name": "bank", "actions": ["pay"], "conditions": conditions}
    open_rule = {"name": "bank", "actions": ["pay"]}
    denies = name.startswith("denied")
    rules = {"allowed_tools": [open_rule], "denied_tools": [rule]} if denies else {"allowed_tools": [rule]}
    return PolicyDocument.model_validate({"org": "o", "tenant": "t", "agent": f"a{number}", **rules})


def _verdicts(opa_binary: Path) -> Iterator[tuple[str, str, str]]:
    """Condition, value, verdict."""
    kinds = [(name, conditions) for group, _ in SECTIONS.values() for name, conditions in group.items()]
    agents = {name: f"o/t/a{number}" for number, (name, _) in enumerate(kinds)}
    documents = [_document(number, *kind) for number, kind in enumerate(kinds)]
    compiled = compile_policy([*map(compiled_document, documents)], [], trust_to_data("lab", "lab", [], [], 300, 0), "")
    asked: list[tuple[str, str, Any]] = []
    for group, values in SECTIONS.values():
        for name in group:
            for hostile in values:
                try:
                    body = strict_json.parse_object(hostile.body.encode("utf-8", "surrogatepass"))
                except Refused as refusal:
                    yield name, hostile.label, _UNREAD[refusal.reason]
                    continue
                call = TriedCall(agent=agents[name], tool="bank", action="pay", parameters=dict(body))
                asked.append((name, hostile.label, question_of(call, NOBODY)))
    with lab_opa(opa_binary) as opa:
        opa.load(compiled.data)
        decisions = opa.decisions([question for _, _, question in asked])
    for (name, label, _), decision in zip(asked, decisions, strict=True):
        assert isinstance(decision, Decision), (name, label, decision)
        yield name, label, "**allow**" if decision.effect is Effect.ALLOW else _WORDS[decision.reason]


@pytest.fixture(scope="module")
def verdicts(opa_binary: Path) -> dict[tuple[str, str], str]:
    return {(name, label): verdict for name, label, verdict in _verdicts(opa_binary)}


def test_every_kind_of_condition_is_tried_with_many_values() -> None:
    assert all(len(values) >= 60 for _, values in SECTIONS.values())
    names = [name for group, _ in SECTIONS.values() for name in group]
    assert sorted(names) == sorted(MAY_PASS)


@pytest.mark.parametrize("name", MAY_PASS)
def test_only_what_is_meant_to_pass_passes(verdicts: Mapping[tuple[str, str], str], name: str) -> None:
    passing = {label for (kind, label), verdict in verdicts.items() if kind == name and verdict == "**allow**"}
    assert passing == MAY_PASS[name]


@pytest.mark.parametrize("name", MAY_PASS)
def test_no_condition_loads_and_never_fires(verdicts: Mapping[tuple[str, str], str], name: str) -> None:
    seen = {verdict for (kind, _), verdict in verdicts.items() if kind == name}
    assert "**allow**" in seen
    assert seen - {"**allow**", "unread", "doubled"}


@pytest.mark.parametrize("name", [name for name in MAY_PASS if "else" in name or "approval" in name])
def test_what_an_approval_makes_up_for_is_never_a_value_of_another_type(
    verdicts: Mapping[tuple[str, str], str], name: str
) -> None:
    held = {label for (kind, label), verdict in verdicts.items() if kind == name and verdict == "held"}
    assert held
    assert held <= (TEXT if "in" in name.split(",")[0] else ABOVE_5000)


def charged(name: str, hostile: Hostile) -> str:
    """What a limit makes of a value."""
    try:
        body = strict_json.parse_object(hostile.body.encode("utf-8", "surrogatepass"))
    except Refused as refusal:
        return _UNREAD[refusal.reason]
    rule = {"name": "bank", "actions": ["pay"], **LIMITS[name]}
    document = PolicyDocument.model_validate({"agent": "a", "allowed_tools": [rule]})
    limits = [*limits_of([compiled_document(document)]).values()]
    try:
        charges_of(limits, body, Scope("o", "t", "a"), Sessions("", "", ""), None, Epoch(1_772_000_000.0))
    except Refused as refusal:
        assert refusal.reason is Reason.CHARGE_INVALID
        return "uncounted"
    return "**counted**"


@pytest.mark.parametrize("name", LIMITS)
def test_only_what_can_be_counted_is_counted_and_nothing_else_is_free(name: str) -> None:
    told = {hostile.label: charged(name, hostile) for hostile in COMMON}
    assert {label for label, verdict in told.items() if verdict == "**counted**"} == COUNTED[name]
    assert set(told.values()) == {"**counted**", "uncounted", "unread", "doubled"}


def page(verdicts: Mapping[tuple[str, str], str]) -> str:
    lines = [_HEAD]
    for title, (group, values) in SECTIONS.items():
        lines += [f"## {title}", "", "| value | " + " | ".join(f"`{name}`" for name in group) + " |"]
        lines.append("|---" * (len(group) + 1) + "|")
        for hostile in values:
            shown = hostile.label.replace("|", "\\|")
            lines.append(f"| `{shown}` | " + " | ".join(verdicts[name, hostile.label] for name in group) + " |")
        lines.append("")
    lines += ["## Limits", "", "| value | " + " | ".join(f"`{name}`" for name in LIMITS) + " |", "|---|---|---|"]
    for hostile in COMMON:
        shown = hostile.label.replace("|", "\\|")
        lines.append(f"| `{shown}` | " + " | ".join(charged(name, hostile) for name in LIMITS) + " |")
    return "\n".join([*lines, ""])


def test_the_page_says_what_was_found(verdicts: Mapping[tuple[str, str], str]) -> None:
    written = page(verdicts)
    if os.environ.get("AEGIS_WRITE_DOCS") == "1":
        PAGE.write_text(written, "utf-8")
    assert PAGE.read_text("utf-8") == written


_HEAD = """# What hostile arguments get

An agent that wants past a limit of 5,000 does not send 50,000. It sends `"50,000"`, `[50000]`, `{"v": 50000}`, the
parameter twice, or nothing at all, and hopes that a rule which cannot read it is skipped. Here no rule is ever skipped.

The rows are the values of the parameter `x` in a JSON body (beside `other`, which is 5000); the columns are the
conditions of the one rule that allows the call, or denies it. Each cell is what the real reader of bodies and the real
decision library on OPA made of it, written by
[the test](../tests/policy/test_hostile_arguments.py) that also says, by hand, which values may pass.

| cell | means |
|---|---|
| **allow** | the condition holds |
| denied | the condition does not hold |
| held | it does not hold, and says `else: approval_needed`: a person decides |
| type | PARAMETER_TYPE: not of the type the condition is about; no approval helps |
| missing | PARAMETER_MISSING: not there under its name; no approval helps |
| unread | MALFORMED_CALL: two readers could take the body differently, so nobody gets it |
| doubled | DUPLICATE_KEY: the body names one member twice, in whatever case |
| **counted** | of a limit: the value is counted, each element of a list by itself |
| uncounted | CHARGE_INVALID: what the call uses of the limit cannot be told, so it is denied and never free |

A catalogue that gives the parameter a type refuses more, and earlier. Lists of what is forbidden (`not`, `not_in`,
`denied in`) let through every other spelling, as the table shows: prefer lists of what is allowed.
"""
