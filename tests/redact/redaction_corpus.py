"""Values that must be redacted and look-alikes that must not, for every detector, made anew with fixed seeds.

A value has a form that the strict rules find, or one that only the loose rules do (`is_strict` false).
"""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote, quote_plus

from tests.redact.secret_corpus import SECRETS, secret_alike

MANY = 300
Chance = random.Random
Maker = Callable[[Chance], str]


@dataclass(frozen=True, slots=True)
class Value:
    """`text` holds `secret`, of which nothing may be left."""

    text: str
    secret: str


def _digits(chance: Chance, count: int) -> str:
    return "".join(chance.choice(string.digits) for _ in range(count))


def _ssn(chance: Chance) -> tuple[str, str, str]:
    area = chance.choice([n for n in range(1, 900) if n != 666])
    return f"{area:03}", f"{chance.randrange(1, 100):02}", f"{chance.randrange(1, 10000):04}"


def _ssn_values(chance: Chance) -> Value:
    parts = _ssn(chance)
    word = chance.choice(["SSN", "ssn:", "Social Security Number", "social security no.", "tax id"])
    forms = [("-", "")] * 8 + [(" - ", ""), ("-\n", ""), ("\u2013", ""), ("\u2011", "")] + [("", word), (" ", word)]
    forms += [(".", word), ("/", word), ("_", word), ("\t", word), (".", ""), (" ", "")]
    gap, before = chance.choice(forms)
    number = gap.join(parts)
    return Value(f"{before} {number}".strip(), number)


def _luhn(body: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(body)):
        number = int(digit) * (2 if place % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return body + str(-total % 10)


def _card(chance: Chance) -> str:
    prefix, length = chance.choice(
        [("4", 16), ("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("37", 15), ("6011", 16), ("3530", 16), ("36", 14)]
    )
    return _luhn(prefix + _digits(chance, length - len(prefix) - 1))


def _card_value(chance: Chance) -> Value:
    number = _card(chance)
    cuts = {16: (4, 8, 12), 15: (4, 10), 14: (4, 10)}[len(number)]
    gap = chance.choice(["", "", "", " ", " ", "-", "-", ".", "/", "_", "  ", "\t", "\n", "\u00a0"])
    shown = gap.join(number[i:j] for i, j in zip((0, *cuts), (*cuts, len(number)), strict=True))
    if chance.random() < 0.05:
        shown = " ".join(number)
    return Value(shown, shown)


_IBANS = {
    "DE": "n18",
    "FR": "n10c11n2",
    "GB": "a4n14",
    "NL": "a4n10",
    "ES": "n20",
    "NO": "n11",
    "CH": "n5c12",
    "PL": "n24",
}


def _iban(chance: Chance) -> str:
    country = chance.choice([*_IBANS])
    kinds = {"n": string.digits, "a": string.ascii_uppercase, "c": string.digits + string.ascii_uppercase}
    form = _IBANS[country]
    body, place = "", 0
    while place < len(form):
        end = place + 1
        while end < len(form) and form[end].isdigit():
            end += 1
        body += "".join(chance.choice(kinds[form[place]]) for _ in range(int(form[place + 1 : end])))
        place = end
    checked = "".join(str(int(character, 36)) for character in f"{body}{country}00")
    return f"{country}{98 - int(checked) % 97:02}{body}"


def _iban_value(chance: Chance) -> Value:
    plain = _iban(chance)
    gap = chance.choice(["", "", " ", " ", " ", "-", ".", "  ", "\u00a0", "\n"])
    shown = gap.join(plain[at : at + 4] for at in range(0, len(plain), 4))
    return Value(chance.choice([shown, shown.lower()]), shown)


def _email_value(chance: Chance) -> Value:
    name = chance.choice(
        ["jo", "jane.doe", "j.r.smith+news", "o'neil", "x_y", "info", "j\u00f6rg", "a1b2", "first-last"]
    )
    domain = chance.choice(
        ["example.org", "mail.example.co.uk", "uni-bonn.example", "a.b.example.net", "firma.example"]
    )
    shown = f"{name}@{domain}"
    return Value(chance.choice([shown, f"mailto:{shown}", f"<{shown}>", f"({shown})", f"{shown}, and"]), shown)


def _phone_value(chance: Chance) -> Value:
    area, office, line = chance.randrange(201, 990), chance.randrange(201, 999), _digits(chance, 4)
    shown, before = chance.choice(
        [
            (f"+1 {area} {office} {line}", ""),
            (f"+1-{area}-{office}-{line}", ""),
            (f"+1{area}{office}{line}", ""),
            (f"({area}) {office}-{line}", ""),
            (f"{area}-{office}-{line}", ""),
            (f"{area}.{office}.{line}", ""),
            (f"+49 30 {_digits(chance, 8)}", ""),
            (f"+44 (0)20 {_digits(chance, 4)} {line}", ""),
            (f"0049 30 {_digits(chance, 7)}", ""),
            (f"0{chance.randrange(20, 99)}{_digits(chance, 7)}", "phone: "),
            (f"{area}{office}{line}", "mobile="),
        ]
    )
    return Value(before + shown, shown)


def _born_value(chance: Chance) -> Value:
    day = date(1930, 1, 1) + timedelta(days=chance.randrange(30000))
    shown = day.strftime(
        chance.choice(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %B %Y", "%B %d, %Y", "%Y%m%d", "%d-%m-%y", "%b %d %Y"])
    )
    before = chance.choice(
        [
            "born ",
            "DOB: ",
            "date of birth ",
            "Geburtsdatum: ",
            "born on ",
            "birthday: ",
            "n\u00e9e, naissance ",
            "d.o.b. ",
        ]
    )
    return Value(f"{before}{shown}", shown)


def _secret_value(chance: Chance) -> Value:
    secret = chance.choice(SECRETS)(chance)
    return Value(f"{secret.before}{secret.text}{secret.after}", secret.text)


VALUES: Mapping[str, Callable[[Chance], Value]] = {
    "us_ssn": _ssn_values,
    "credit_card": _card_value,
    "iban": _iban_value,
    "email": _email_value,
    "phone": _phone_value,
    "date_of_birth": _born_value,
    "secrets": _secret_value,
}


def _alike_common(chance: Chance) -> str:
    """What looks like anything to a careless pattern: ids, times, addresses, hashes, versions, coordinates."""
    number = chance.randrange
    makers: tuple[Callable[[], str], ...] = (
        lambda: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        lambda: chance.randbytes(20).hex(),
        lambda: chance.randbytes(32).hex(),
        lambda: f"v{number(20)}.{number(50)}.{number(300)}",
        lambda: f"{number(1, 223)}.{number(256)}.{number(256)}.{number(1, 255)}:{number(1024, 65535)}",
        lambda: f"{number(-90, 90)}.{_digits(chance, 6)},{number(-180, 180)}.{_digits(chance, 6)}",
        lambda: f"+{number(10, 90)}.{_digits(chance, 4)}-{number(100, 180)}.{_digits(chance, 4)}/",
        lambda: (
            f"{number(2000, 2030)}-{number(1, 13):02}-{number(1, 29):02}"
            f"T{number(24):02}:{number(60):02}:00.{_digits(chance, 3)}Z"
        ),
        lambda: (
            f"{number(2000, 2030)}{number(1, 13):02}{number(1, 29):02}{number(24):02}{number(60):02}{number(60):02}"
        ),
        lambda: str(number(1_500_000_000, 1_900_000_000)),
        lambda: str(number(1_500_000_000_000, 1_900_000_000_000)),
        lambda: f"1{_digits(chance, 18)}",  # snowflakes, tweets
        lambda: _digits(chance, 9),
        lambda: f"7{_digits(chance, 9)}",
        lambda: f"https://shop.example/p/{_digits(chance, 8)}?ref={_digits(chance, 5)}&page={number(9)}",
        lambda: f"https://user@host.example:{number(1024, 9999)}/a/b#{number(99)}",
        lambda: f"git@github.com:acme/app-{number(99)}.git",
        lambda: f"logo@{number(2, 4)}x.png",
        lambda: f"lodash@{number(9)}.{number(30)}.{number(30)}",
        lambda: f"0.{_digits(chance, 16)}",
        lambda: f"{number(1000)}.{_digits(chance, 12)}",
        lambda: f"PO-{number(2015, 2030)}-{number(1, 13):02}-{number(1, 9999):04}",
        lambda: f"INV{_digits(chance, 9)}",
        lambda: f"1Z{_digits(chance, 10)}",
        lambda: f"978-{number(9)}-{_digits(chance, 3)}-{_digits(chance, 5)}-{number(9)}",
        lambda: " ".join(_digits(chance, chance.choice([2, 3, 5])) for _ in range(6)),
        lambda: ", ".join(str(number(100)) for _ in range(10)),
        lambda: f"sha256:{chance.randbytes(32).hex()}",
        lambda: base64.b64encode(chance.randbytes(30)).decode(),
        lambda: f"released on {number(2000, 2030)}-{number(1, 13):02}-{number(1, 29):02}",
        lambda: f"${number(1, 999)},{_digits(chance, 3)}.{_digits(chance, 2)}",
        lambda: f"#{_digits(chance, 6)} and 10 km, {number(99)} % of {number(9999)}",
    )
    return chance.choice(makers)()


def _broken_card(chance: Chance) -> str:
    number = _card(chance)
    wrong = number[:-1] + str((int(number[-1]) + chance.randrange(1, 10)) % 10)
    return chance.choice([wrong, "-".join(wrong[at : at + 4] for at in range(0, 16, 4)), f"a{number}", f"0.{number}"])


def _broken_iban(chance: Chance) -> str:
    plain = _iban(chance)
    wrong = plain[:3] + str((int(plain[3]) + chance.randrange(1, 9)) % 10) + plain[4:]
    return chance.choice([wrong, f"X{plain}", plain[:-3], "XX" + plain[2:]])


def _broken_ssn(chance: Chance) -> str:
    area, group, serial = _ssn(chance)
    return chance.choice(
        [
            f"000-{group}-{serial}",
            f"666-{group}-{serial}",
            f"9{area[1:]}-{group}-{serial}",
            f"{area}-00-{serial}",
            f"{area}-{group}-0000",
            f"1{area}-{group}-{serial}",
            f"{area}-{group}-{serial}9",
            f"{area}{group}{serial}",
        ]
    )


def _address_alike(chance: Chance) -> str:
    return chance.choice(
        [
            "user@localhost",
            "@handle on a network",
            "a @ b",
            "https://me:x@host.example/",
            "img@3x.webp",
            "svn@host.example/r",
        ]
    )


def _number_alike(chance: Chance) -> str:
    return chance.choice(
        [
            _digits(chance, 7),
            f"+{_digits(chance, 4)}",
            f"10.2.{_digits(chance, 3)}.{_digits(chance, 3)}",
            f"({_digits(chance, 3)})",
        ]
    )


def _date_alike(chance: Chance) -> str:
    day = date(1990, 1, 1) + timedelta(days=chance.randrange(15000))
    return chance.choice(["seen on ", "due ", "visit: ", "Adobe ", "reborn as v2 in "]) + day.isoformat()


_ALIKE: Mapping[str, Maker] = {
    "us_ssn": _broken_ssn,
    "credit_card": _broken_card,
    "iban": _broken_iban,
    "email": _address_alike,
    "phone": _number_alike,
    "date_of_birth": _date_alike,
    "secrets": secret_alike,
}


def look_alike(name: str, chance: Chance) -> str:
    """A text that a careless detector of that name would take for a value."""
    return _ALIKE[name](chance) if chance.random() < 0.4 else _alike_common(chance)


def _chat(pieces: Iterable[str]) -> Iterator[bytes]:
    for piece in pieces:
        yield json.dumps({"choices": [{"index": 0, "delta": {"content": piece}}]}).encode()
    yield json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).encode()


def _stream(text: str, size: int) -> bytes:
    pieces = (text[at : at + size] for at in range(0, len(text), size))
    return b"".join(b"data: " + event + b"\n\n" for event in _chat(pieces))


def _lines(text: str) -> bytes:
    events = [{"message": {"content": text[at : at + 4]}, "done": False} for at in range(0, len(text), 4)]
    return b"".join(json.dumps(event).encode() + b"\n" for event in [*events, {"done": True}])


def _plain_event(text: str) -> bytes:
    return b"event: note\n" + b"".join(b"data: " + line.encode() + b"\n" for line in text.split("\n")) + b"\n"


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _parts(text: str) -> bytes:
    head = b'--b\r\ncontent-disposition: form-data; name="note"\r\n\r\n'
    return head + f"see {text} there".encode() + b"\r\n--b--\r\n"


FRAMES: Mapping[str, tuple[str, Callable[[str], bytes]]] = {
    "json": ("application/json", lambda text: json.dumps({"id": 7, "note": f"see {text} there", "ok": True}).encode()),
    "nested": (
        "application/json",
        lambda text: json.dumps({"text": json.dumps({"note": f"see {text} there"})}).encode(),
    ),
    "text": ("text/plain", lambda text: f"see {text} there".encode()),
    "html": ("text/html", lambda text: f"<p class='x'>see <b>{_html(text)}</b> there &nbsp;</p>".encode()),
    "cells": ("text/html", lambda text: f"<table><tr><td>{_html(text)}</td><td>7</td></tr></table>".encode()),
    "xml": ("application/xml", lambda text: f"<?xml version='1.0'?><a><b>{_html(text)}</b></a>".encode()),
    "form": ("application/x-www-form-urlencoded", lambda text: f"a=1&note={quote_plus(text)}&b=2".encode()),
    "parts": ("multipart/form-data; boundary=b", _parts),
    "stream": ("text/event-stream", lambda text: _stream(f"see {text} there", 3)),
    "letters": ("text/event-stream", lambda text: _stream(f"see {text} there", 1)),
    "events": ("text/event-stream", lambda text: _plain_event(f"see this long event: {text} there")),
    "lines": ("application/x-ndjson", lambda text: _lines(f"see {text} there")),
    "records": ("application/x-ndjson", lambda text: json.dumps({"note": f"see {text} there, all of it"}).encode()),
}
"""A content type, and a body of it around a text."""


def _escapes(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else letter for letter in text)


def _hidden(text: str) -> str:
    return "\u200b".join(text)


def _wide(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if letter.isascii() and letter.isdigit() else letter for letter in text)


SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "percent": lambda text: quote(text, safe=""),
    "percent of all": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "entities": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "hexadecimal entities": lambda text: "".join(f"&#x{ord(letter):x};" for letter in text),
    "escapes": _escapes,
    "escapes twice": lambda text: _escapes(text).replace("\\", "\\\\"),
    "invisible": _hidden,
    "full width": _wide,
    "tags": lambda text: f"{text[: len(text) // 2]}<b>{text[len(text) // 2 :]}</b>",
    "comment": lambda text: f"{text[: len(text) // 2]}<!-- x -->{text[len(text) // 2 :]}",
    "base64": lambda text: base64.b64encode(f"the note: {text} and more".encode()).decode(),
    "base64 of URLs": lambda text: base64.urlsafe_b64encode(f"the note: {text} and more".encode()).decode(),
    "data URL": lambda text: "data:text/plain;base64," + base64.b64encode(f"note: {text}".encode()).decode(),
}
"""Other ways to write a text, which a reader or a program reads as the same."""
