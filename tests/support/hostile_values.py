"""Values an agent may send to get past a condition, as the text of a JSON body, and conditions of every kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MEMBER = "x"


@dataclass(frozen=True, slots=True)
class Hostile:
    """One body: `text` is what stands for the value, or the whole body where it starts with a brace and a quote."""

    label: str
    body: str


def _value(label: str, text: str) -> Hostile:
    return Hostile(label, f'{{"{MEMBER}": {text}, "other": 5000}}')


COMMON = (
    _value("5", "5"),
    _value("5000", "5000"),
    _value("5000.0", "5000.0"),
    _value("5e3", "5e3"),
    _value("5000.01", "5000.01"),
    _value("5000.000000000001", "5000.000000000001"),
    _value("5000.0000000000000001 (20 digits)", "5000.0000000000000001"),
    _value("50000", "50000"),
    _value("-1", "-1"),
    _value("-50000", "-50000"),
    _value("-0", "-0"),
    _value("0", "0"),
    _value("1e400", "1e400"),
    _value("-1e400", "-1e400"),
    _value("1e-400", "1e-400"),
    _value("2^53+1", "9007199254740993"),
    _value("2^53+1 as a float", "9007199254740993.0"),
    _value("2^64", "18446744073709551616"),
    _value("NaN", "NaN"),
    _value("Infinity", "Infinity"),
    _value("0x10", "0x10"),
    _value("010", "010"),
    _value("+5", "+5"),
    _value("10_000", "10_000"),
    _value("null", "null"),
    _value("true", "true"),
    _value("false", "false"),
    _value("[]", "[]"),
    _value("[5]", "[5]"),
    _value("[50000]", "[50000]"),
    _value("[[5]]", "[[5]]"),
    _value("{}", "{}"),
    _value('{"v": 5}', '{"v": 5}'),
    _value('{"v": 50000}', '{"v": 50000}'),
    _value('""', '""'),
    _value('"5"', '"5"'),
    _value('"5000"', '"5000"'),
    _value('"50,000"', '"50,000"'),
    _value('"50000"', '"50000"'),
    _value('"10_000"', '"10_000"'),
    _value('" 5"', '" 5"'),
    _value('"5 "', '"5 "'),
    _value('"５" (full width)', '"５"'),
    _value('"٥" (Arabic)', '"٥"'),
    _value('"５００００" (full width)', '"５００００"'),
    _value('"null"', '"null"'),
    _value('"true"', '"true"'),
    _value('"ACME"', '"ACME"'),
    _value('"acme"', '"acme"'),
    _value('"ACME "', '"ACME "'),
    _value('" ACME"', '" ACME"'),
    _value('"ACME\\n"', '"ACME\\n"'),
    _value('"ACME\\u0000"', '"ACME\\u0000"'),
    _value('"AC\\u200bME" (zero width)', '"AC\\u200bME"'),
    _value('"\\u202eEMCA" (reversed)', '"\\u202eEMCA"'),
    _value('"АCME" (Cyrillic A)', '"\\u0410CME"'),
    _value('"ＡＣＭＥ" (full width)', '"\\uff21\\uff23\\uff2d\\uff25"'),
    _value('"ACME, Mallory"', '"ACME, Mallory"'),
    _value('"Mallory"', '"Mallory"'),
    _value('["ACME"]', '["ACME"]'),
    _value('["ACME", "Mallory"]', '["ACME", "Mallory"]'),
    _value('"\\ud800" (half a pair)', '"\\ud800"'),
    _value("10,000 letters", '"' + "A" * 10_000 + '"'),
    Hostile("nothing there", '{"other": 5000}'),
    Hostile("X for x", '{"X": 50000, "other": 5000}'),
    Hostile("given twice", '{"x": 5, "x": 50000, "other": 5000}'),
    Hostile("as x and X", '{"x": 5, "X": 50000, "other": 5000}'),
    Hostile("not an object", "[5]"),
    Hostile("two texts", '{"x": 5} {"x": 50000}'),
    Hostile("a comment", '{"x": 5 /* 50000 */}'),
)

PLACES = (
    _value("bank.com", '"bank.com"'),
    _value("BANK.com", '"BANK.com"'),
    _value("a.bank.com", '"a.bank.com"'),
    _value("true-bank.com", '"true-bank.com"'),
    _value("bank.com.evil.example", '"bank.com.evil.example"'),
    _value("bank.com.", '"bank.com."'),
    _value("bank.com:443", '"bank.com:443"'),
    _value("bänk.com", '"b\\u00e4nk.com"'),
    _value("bank。com (ideographic stop)", '"bank\\u3002com"'),
    _value("https://bank.com/x", '"https://bank.com/x"'),
    _value("https://bank.com:8443/x", '"https://bank.com:8443/x"'),
    _value("https://bank.com@evil.example/", '"https://bank.com@evil.example/"'),
    _value("https://evil.example/@bank.com", '"https://evil.example/@bank.com"'),
    _value("https://evil.example\\@bank.com/", '"https://evil.example\\\\@bank.com/"'),
    _value("https://evil.example#@bank.com", '"https://evil.example#@bank.com"'),
    _value("https://bank%2ecom/", '"https://bank%2ecom/"'),
    _value("https:bank.com", '"https:bank.com"'),
    _value("//bank.com/", '"//bank.com/"'),
    _value("javascript://bank.com/%0aalert(1)", '"javascript://bank.com/%0aalert(1)"'),
    _value("https://bank.com\\t.evil.example", '"https://bank.com\\t.evil.example"'),
    _value("https://bank.com (line end)", '"https://bank.com\\n"'),
    _value("ann@bank.com", '"ann@bank.com"'),
    _value("ann@true-bank.com", '"ann@true-bank.com"'),
    _value("ann@bank.com@evil.example", '"ann@bank.com@evil.example"'),
    _value("Ann <ann@bank.com>", '"Ann <ann@bank.com>"'),
    _value("ann@bank.com, eve@evil.example", '"ann@bank.com, eve@evil.example"'),
    _value('"ann@bank.com" (quoted)', '"\\"ann@bank.com\\"@evil.example"'),
    _value("10.1.2.3", '"10.1.2.3"'),
    _value("11.1.2.3", '"11.1.2.3"'),
    _value("010.1.2.3", '"010.1.2.3"'),
    _value("10.1.2", '"10.1.2"'),
    _value("167838211 (10.1.2.3 as a number)", '"167838211"'),
    _value("::ffff:10.1.2.3", '"::ffff:10.1.2.3"'),
    _value("::ffff:11.1.2.3", '"::ffff:11.1.2.3"'),
    _value("10.1.2.3%eth0", '"10.1.2.3%eth0"'),
    _value("0.0.0.0/0", '"0.0.0.0/0"'),
    _value("11.1.2.3/32", '"11.1.2.3/32"'),
    _value("::/0", '"::/0"'),
    _value("10.01.2.3", '"10.01.2.3"'),
    _value("0x0a.1.2.3", '"0x0a.1.2.3"'),
    _value("012.1.2.3 (octal)", '"012.1.2.3"'),
    _value("10.1 (short)", '"10.1"'),
    _value("::ffff:a01:203 (10.1.2.3)", '"::ffff:a01:203"'),
    _value("::10.1.2.3", '"::10.1.2.3"'),
    _value("::b01:203 (11.1.2.3)", '"::b01:203"'),
    _value("64:ff9b::10.1.2.3", '"64:ff9b::10.1.2.3"'),
    _value("64:ff9b::b01:203 (11.1.2.3)", '"64:ff9b::b01:203"'),
    _value("2002:a01:203::1 (10.1.2.3)", '"2002:a01:203::1"'),
    _value("2002:b01:203::1 (11.1.2.3)", '"2002:b01:203::1"'),
    _value("2001:0:b01:203::1 (Teredo)", '"2001:0:b01:203::1"'),
    _value("2001:db8::5efe:b01:203 (ISATAP)", '"2001:db8::5efe:b01:203"'),
    _value("2001:db8::1", '"2001:db8::1"'),
    _value("fe80::1%eth0", '"fe80::1%eth0"'),
    _value("[2001:db8::1]", '"[2001:db8::1]"'),
)


def only(**rule: Any) -> dict[str, Any]:
    return {"parameters": {MEMBER: rule}}


NUMBERS: dict[str, dict[str, Any]] = {
    "max_x: 5000": {"max_x": 5000},
    "approval_needed_over_x: 5000": {"approval_needed_over_x": 5000},
    "min: 5": only(min=5),
    "over: 5": only(over=5),
    "under: 5000": only(under=5000),
    "equals: 5": only(equals=5),
    "not: 50000": only(**{"not": 50000}),
    "in: [5, 5000]": only(**{"in": [5, 5000]}),
    "type: integer": only(type="integer"),
    "max: {parameter: other}": only(max={"parameter": "other"}),
    "max, optional": only(max=5000, optional=True),
    "max, else: approval": only(max=5000, **{"else": "approval_needed"}),
    "schema: maximum": only(schema={"type": "number", "minimum": 0, "maximum": 5000}),
}
TEXTS: dict[str, dict[str, Any]] = {
    "equals: ACME": only(equals="ACME"),
    "not: Mallory": only(**{"not": "Mallory"}),
    "in: [ACME]": only(**{"in": ["ACME"]}),
    "in, else: approval": only(**{"in": ["ACME"], "else": "approval_needed"}),
    "not_in: [Mallory]": only(not_in=["Mallory"]),
    "approval_needed_in: [Mallory]": only(approval_needed_in=["Mallory"]),
    'matches: "[A-Z]{4}"': only(matches="[A-Z]{4}"),
    "starts_with: AC": only(starts_with="AC"),
    "ends_with: ME": only(ends_with="ME"),
    "length: {max: 4}": only(length={"max": 4}),
    "equals: true": only(equals=True),
    "schema: enum": only(schema={"enum": ["ACME"]}),
    "exists: true": only(exists=True),
    "exists: false": only(exists=False),
}
LISTS: dict[str, dict[str, Any]] = {
    "count: {max: 1}": only(count={"max": 1}),
    "every: {in: [ACME]}": only(every={"in": ["ACME"]}),
    "every: {max: 5000}": only(every={"max": 5000}),
    "any: {in: [ACME]}": only(any={"in": ["ACME"]}),
    "/x/v max: 5000": {"parameters": {"/x/v": {"max": 5000}}},
    "/x/v max, optional": {"parameters": {"/x/v": {"max": 5000, "optional": True}}},
    "schema of all": {"schema": {"type": "object", "properties": {"x": {"const": 5}}, "required": ["x"]}},
}
ADDRESSES: dict[str, dict[str, Any]] = {
    "host_in: [bank.com]": only(host_in=["bank.com"]),
    'host_in: ["*.bank.com"]': only(host_in=["*.bank.com"]),
    "url_host_in: [bank.com]": only(url_host_in=["bank.com"]),
    "email_domain_in: [bank.com]": only(email_domain_in=["bank.com"]),
    "in_ranges: [10.0.0.0/8]": only(in_ranges=["10.0.0.0/8"]),
    "not_in_ranges: [10.0.0.0/8]": only(not_in_ranges=["10.0.0.0/8"]),
}
DENIALS: dict[str, dict[str, Any]] = {
    "denied over: 5000": only(over=5000),
    "denied in: [Mallory]": only(**{"in": ["Mallory"]}),
    "denied over, optional": only(over=5000, optional=True),
    "denied exists: true": only(exists=True),
    "denied every: {over: 5000}": only(every={"over": 5000}),
    "denied schema: number over 5000": only(schema={"type": "number", "exclusiveMinimum": 5000}),
    "denied schema: not a number to 5000": only(schema={"not": {"maximum": 5000}}),
    "denied schema: enum": only(schema={"enum": ["Mallory"]}),
    "denied schema of all": {
        "schema": {"properties": {"x": {"type": "number", "exclusiveMinimum": 5000}}, "required": ["x"]}
    },
}
DENIED_PLACES: dict[str, dict[str, Any]] = {
    "denied url_host_in: [bank.com]": only(url_host_in=["bank.com"]),
    "denied in_ranges: [10.0.0.0/8]": only(in_ranges=["10.0.0.0/8"]),
    "denied not_in_ranges: [10.0.0.0/8]": only(not_in_ranges=["10.0.0.0/8"]),
}
