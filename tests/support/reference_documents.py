"""Random documents and calls that meet each other often: few names, and values near each other's limits.

Drawn from a seed and not by strategies of their own: whole sets of documents are too large for those to fill.
"""

from __future__ import annotations

from random import Random
from typing import Any

from aegis_authz.core.catalogue import Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.policy.compile.conditions import value_conditions
from aegis_authz.policy.language.rule import Conditions

REGIONS = {"bank": "eu", "shop": "us"}
TOOLS = [
    Tool(name, f"{name}.example", None, "", (), "", REGIONS.get(name, ""), None, False, False, NO_INTERFACE)
    for name in ("bank", "shop", "desk")
]

NUMBERS = [-1, 0, 1, 3, 5, 5.5, 10, 11]
TEXTS = [
    "",
    "EUR",
    "eur",
    "INV-1",
    "ann@acme.com",
    "ann@true-acme.com",
    "a.acme.com",
    "acme.com",
    "10.1.2.3",
    "11.0.0.1",
    "0.0.0.0/0",
    "::ffff:10.1.2.3",
    "64:ff9b::a01:203",
    "2001:db8::1",
    "::1",
]
URLS = [
    "https://acme.com/x",
    "http://a.acme.com:80",
    "https://acme.com@evil.example/",
    "https://evil.example/?acme.com",
]
ODD: list[Any] = [None, True, False, {}, [], {"deep": 4}, {"Deep": 9}, "5", [5], "ftp://acme.com"]
NUMERIC = ("min", "max", "over", "under", "in", "equals", "not", "approval_needed_over", "type", "exists", "schema")
TEXTUAL = (
    *("matches", "starts_with", "ends_with", "length", "host_in", "url_host_in", "email_domain_in", "in_ranges"),
    *("in", "not_in", "equals", "not", "not_in_ranges", "approval_needed_in", "schema", "exists", "type"),
)
LISTING = ("count", "every", "any", "exists", "type")
_MEMBER_WORDS = (
    "in",
    "not_in",
    "min",
    "max",
    "over",
    "under",
    "matches",
    "email_domain_in",
    "length",
    "equals",
    "type",
)
_KINDS = ["string", "number", "integer", "boolean", "array", "object", "any"]
_WINDOWS: list[dict[str, Any]] = [
    {},
    {"zone": "Europe/Berlin", "hours": "09:00-17:00", "weekdays": ["mon", "tue"]},
    {"zone": "America/New_York", "hours": "00:00-12:30", "holidays": ["2026-01-06"]},
    {"from": "2026-01-06", "until": "2026-07-01"},
]
_CONTEXT: dict[str, list[dict[str, Any]]] = {
    "environment": [{"in": ["live"]}, {"not": "live", "optional": True}, {"matches": "l.*", "else": "approval_needed"}],
    "source": [{"in_ranges": ["10.0.0.0/8"]}, {"not_in_ranges": ["10.0.0.0/8"], "optional": True}],
    "acted_by": [{"count": {"max": 0}}, {"every": {"in": ["planner"]}}, {"any": {"starts_with": "p"}}],
    "on_behalf_of": [{"email_domain_in": ["acme.com"]}, {"exists": False}, {"exists": True}],
    "token_age": [{"max": 60}, {"under": 5}, {"over": 5, "optional": True}],
    "region": [{"in": ["eu"]}, {"equals": "us", "optional": True}],
}
_SESSIONS: list[dict[str, Any]] = [
    {"equals": "task-1"},
    {"in": ["task-1", "task-2"], "optional": True},
    {"exists": False},
]
_REDACTIONS: list[dict[str, Any]] = [{"detectors": ["us_ssn"]}, {"detectors": ["iban", "us_ssn"]}, {"fields": ["/a"]}]
_DEMANDS: list[dict[str, Any]] = [
    {"set_headers": [{"name": "x-a", "value": "1"}]},
    {"set_headers": [{"name": "x-a", "value": "2"}]},
    {"inject_credentials": [{"credential": "c", "prefix": "Bearer "}]},
]
_PLACES: list[Any] = [
    "acme.com",
    "*.acme.com",
    {"host": "acme.com", "ports": [443]},
    {"host": "*.acme.com", "methods": ["GET"]},
]


def documents(draw: Random) -> list[dict[str, Any]]:
    """One to four documents, as they are written."""
    return [{**_document(draw), "name": f"document-{number}"} for number in range(draw.randint(1, 3))]


def documents_and_waivers(draw: Random) -> list[dict[str, Any]]:
    """The same, and now and then one that waives approvals of theirs."""
    written = documents(draw)
    return [*written, standing(draw)] if draw.random() < 0.4 else written


def standing(draw: Random) -> dict[str, Any]:
    """A document that waives approvals."""
    return {
        "org": "o",
        "tenant": "t",
        "agent": "a",
        "name": "standing",
        "waivers": [
            {
                "name": draw.choice(["bank", "bank", "shop"]),
                "actions": draw.choice([["pay"], ["pay", "get"]]),
                "of": draw.sample([f"document-{number}" for number in range(3)], draw.randint(1, 3)),
                "groups": draw.choice([[], ["a"], ["b"], ["a", "b"]]),
                "from": "2026-01-05",
                "until": draw.choice(["2026-01-05", "2026-01-20"]),
                **_waiving(draw),
            }
        ],
    }


def _waiving(draw: Random) -> dict[str, Any]:
    """Conditions of a waiver: none of them may ask for an approval."""
    while draw.random() < 0.6:
        written = _conditions(draw, False)
        found, _ = value_conditions(Conditions.model_validate(written.get("conditions", {"max_amount": 5})))
        if not any(check.otherwise == "approval_needed" for one in found for check in one.checks):
            return written
    return {}


def call(draw: Random) -> dict[str, Any]:
    """A question as OPA is asked it."""
    tool = draw.choice(["bank"] * 9 + ["shop", "desk", ""])
    tenant, agent = draw.choice("t" * 9 + "u"), draw.choice(["a"] * 8 + ["ab", "ab", "b", "c"])
    resource: dict[str, Any] = {"type": draw.choice(["http", "mcp_tool"]), "id": tool}
    if not tool:
        host = draw.choice(["acme.com", "a.acme.com", "trueacme.com"])
        place = {"host": host, "port": draw.choice([80, 443]), "scheme": "https", "method": "POST"}
        resource = {"type": "unclaimed", "id": "", "properties": place}
    # Monday morning, Tuesday that is a holiday, an evening, another summer
    context: dict[str, Any] = {"time": draw.choice([1767600000, 1767690000, 1767640000, 1783000000]) * 1_000_000_000}
    context["acted_by"] = draw.choice([[], ["planner"], ["planner", "stranger"]])
    context["token_age"] = draw.choice([0, 5, 60, 61])
    for word, values in (
        ("environment", ["live", "test"]),
        ("source", ["10.1.2.3", "11.1.2.3"]),
        ("on_behalf_of", ["ann@acme.com", "eve@evil.example"]),
        ("session", ["task-1", "task-1", "task-3"]),
    ):
        if draw.random() < 0.7:
            context[word] = draw.choice(values)
    spellings = ["pay", "pay", "get", "Pay"] if resource["type"] == "mcp_tool" else ["pay", "pay", "get"]
    return {
        "subject": {
            "type": "agent",
            "id": f"o/{tenant}/{agent}",
            "properties": {"org": "o", "tenant": tenant, "agent": agent},
        },
        "action": {"name": draw.choice(spellings) if tool else "", "properties": _parameters(draw)},
        "resource": resource,
        "context": context,
    }


def _parameters(draw: Random) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name, usual in (
        ("amount", lambda: draw.choice(NUMBERS)),
        ("limit", lambda: draw.choice(NUMBERS)),
        ("payee", lambda: draw.choice([*TEXTS, *URLS, {"deep": draw.choice(NUMBERS)}])),
        ("to", lambda: draw.choice([_list(draw), _members(draw), {"deep": draw.choice(NUMBERS)}])),
    ):
        chance = draw.random()
        if chance < 0.75:
            given[name] = usual()
        elif chance < 0.85:
            given[name] = draw.choice(ODD)
        elif chance < 0.9:
            given[name.upper()] = usual()
    return given


def _list(draw: Random) -> list[Any]:
    kind = draw.choice([NUMBERS, TEXTS, NUMBERS + TEXTS])
    return [draw.choice(kind) for _ in range(draw.randint(0, 3))]


def _members(draw: Random) -> list[Any]:
    return [{"n": draw.choice(NUMBERS + TEXTS)} if draw.random() < 0.9 else {} for _ in range(draw.randint(0, 2))]


def _document(draw: Random) -> dict[str, Any]:
    written: dict[str, Any] = {
        "org": draw.choice(["o", "o", "*"]),
        "tenant": draw.choice(["t", "t", "*", "t*"]),
        "agent": draw.choice(["a", "a", "*", "a*", "ab*", "b"]),
        "mode": draw.choice(["enforce"] * 4 + ["shadow"]),
        "allowed_tools": [_rule(draw) for _ in range(draw.randint(1, 2))],
    }
    if draw.random() < 0.25:
        written["denied_tools"] = [{"name": "bank", "actions": _actions(draw), **_conditions(draw, True)}]
    if draw.random() < 0.3:
        written["egress"] = {"allow": draw.sample(_PLACES, draw.randint(1, 2))}
    if draw.random() < 0.3:
        written["limits"] = [_entry(draw) for _ in range(draw.randint(1, 2))]
    if draw.random() < 0.08:
        written["regions"] = draw.choice([["eu"], ["eu", "us"]])
    return written


def _entry(draw: Random) -> dict[str, Any]:
    places: list[dict[str, Any]] = [{}, {"tools": ["bank"]}, {"tools": ["shop", "bank"], "actions": ["pay"]}]
    return {**draw.choice(places), "count": {"max": draw.randint(10, 99), "per": "day"}}


def _actions(draw: Random) -> list[str]:
    return draw.choice([["pay"], ["get"], ["pay", "get"], ["pay", "get"], ["*"]])


def _rule(draw: Random) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "name": draw.choice(["bank", "bank", "bank", "shop"]),
        "actions": _actions(draw),
        **_conditions(draw, False),
    }
    if draw.random() < 0.2:
        sides = draw.choice([("request",), ("response",), ("request", "response")])
        rule["sanitize"] = {side: draw.choice(_REDACTIONS) for side in sides}
    if draw.random() < 0.3:
        groups = draw.choice([[], ["a"], ["b"], ["a", "b"]])
        rule["approval"] = {"always": draw.random() < 0.3, "groups": groups, "expires_in": draw.choice([60, 900])}
    if draw.random() < 0.2:
        rule["count"] = {"max": draw.randint(1, 9), "per": "day"}
    if draw.random() < 0.2:
        rule["obligations"] = draw.choice(_DEMANDS)
    return rule


def _conditions(draw: Random, denying: bool) -> dict[str, Any]:
    """The member `conditions` without a fault, none where nothing is asked; what contradicts itself is drawn again."""
    while True:
        written = _drawn(draw)
        if not written:
            return {}
        found, faults = value_conditions(Conditions.model_validate(written), denying)
        asks = any(check.otherwise == "approval_needed" for one in found for check in one.checks)
        if not faults and not (denying and asks):
            return {"conditions": written}


def _drawn(draw: Random) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for key, chance in (("max_amount", 0.2), ("min_limit", 0.1), ("approval_needed_over", 0.1)):
        if draw.random() < chance:
            written[key] = draw.choice(NUMBERS)
    names = (("amount", NUMERIC), ("limit", NUMERIC), ("payee", TEXTUAL), ("to", LISTING))
    deep = (("/payee/deep", NUMERIC), ("/to/deep", NUMERIC))
    rules = {name: _rules(draw, words) for name, words in names if draw.random() < 0.13}
    rules |= {name: _rules(draw, words) for name, words in deep if draw.random() < 0.04}
    if rules:
        written["parameters"] = rules
    if draw.random() < 0.12 and (context := _context(draw)):
        written["context"] = context
    if draw.random() < 0.05:
        written["schema"] = draw.choice(
            [
                {"required": ["amount"]},
                {"properties": {"payee": {"type": "string"}}},
                {"properties": {"amount": {"minimum": 5}}, "required": ["amount"]},
            ]
        )
    return written


def _rules(draw: Random, words: tuple[str, ...]) -> Any:
    if draw.random() < 0.2:
        return [_parameter_rule(draw, words) for _ in range(draw.randint(1, 2))]
    return _parameter_rule(draw, words)


def _parameter_rule(draw: Random, words: tuple[str, ...]) -> dict[str, Any]:
    rule = {word: _limit(draw, word, words) for word in draw.sample(words, draw.randint(1, 2))}
    if draw.random() < 0.3:
        rule["optional"] = True
    if draw.random() < 0.3:
        rule["else"] = "approval_needed"
    return rule


def _limit(draw: Random, word: str, words: tuple[str, ...]) -> Any:
    pool: list[Any] = NUMBERS if words is NUMERIC else TEXTS
    other = {"parameter": draw.choice(["limit", "payee"])}
    match word:
        case "min" | "max" | "over" | "under" | "approval_needed_over":
            return other if draw.random() < 0.15 and words is NUMERIC else draw.choice(NUMBERS)
        case "equals" | "not":
            return other if draw.random() < 0.2 and words is not _MEMBER_WORDS else draw.choice(pool)
        case "in" | "not_in" | "approval_needed_in":
            return draw.sample(pool, draw.randint(1, 4))
        case "host_in" | "url_host_in" | "email_domain_in":
            return draw.choice([["acme.com"], ["*.acme.com"], ["acme.com", "*.acme.com"]])
        case "every" | "any":
            member = {
                inner: _limit(draw, inner, _MEMBER_WORDS) for inner in draw.sample(_MEMBER_WORDS, draw.randint(1, 2))
            }
            return {**member, "at": "/n"} if draw.random() < 0.5 else member
    fixed: dict[str, list[Any]] = {
        "type": _KINDS,
        "exists": [True, False],
        "matches": ["[A-Z]+", "EUR|eur", "INV-[0-9]", ".*@acme.com"],
        "starts_with": ["E", "ann", "10."],
        "ends_with": ["R", ".com"],
        "length": [{"max": 3}, {"min": 1}, {"equals": 3}],
        "count": [{"max": 1}, {"min": 1}, {"equals": 2}],
        "in_ranges": [["10.0.0.0/8"]],
        "not_in_ranges": [["10.0.0.0/8"]],
        "schema": [
            {"type": "string", "maxLength": 3},
            {"type": "number", "maximum": 5},
            {"enum": ["EUR", 5]},
            {"not": {"maximum": 5}},
        ],
    }
    return draw.choice(fixed[word])


def _context(draw: Random) -> dict[str, Any]:
    asked: dict[str, Any] = {word: draw.choice(rules) for word, rules in _CONTEXT.items() if draw.random() < 0.25}
    if draw.random() < 0.4:
        windows = draw.sample(_WINDOWS, draw.randint(1, 2))
        asked["time"] = {
            draw.choice(["within", "not_within"]): windows,
            "else": draw.choice(["deny", "approval_needed"]),
        }
    size = len(repr(asked))  # not drawn: what the same seeds gave before is what they give still
    return {**asked, "session": _SESSIONS[size % len(_SESSIONS)]} if asked and size % 4 == 0 else asked
