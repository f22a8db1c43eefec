"""A search for bodies that take long: beginnings of values, repeated and mixed. What it finds belongs in the rows."""

from __future__ import annotations

import random
import time

import pytest

from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.redact.finder import Finder
from aegis_authz.redact.sanitizer import unhurried

SIZE = 32 * 1024
ATOMS = (
    *(
        "1",
        "12 ",
        "123-45-",
        "123 45 6789 ",
        "4",
        "4111 ",
        "4111111111111111 ",
        "4111-1111-1111-111",
        "3400 000000 ",
        "DE12 ",
    ),
    *(
        "DE89370400440532013001 ",
        "gb82west",
        "a@b.cc",
        "@a",
        "a@",
        "+1 2",
        "+49 30 1",
        "(415) 555-",
        "00 49 ",
        "phone:1 ",
        "tel. ",
    ),
    *(
        "born ",
        "dob:",
        "dob:1 ",
        "1.1.1980 ",
        "99/99/1999 ",
        "jan ",
        "ssn ",
        "ssn:000-00 ",
        "social sec",
        "tax id ",
        "AKIA",
        "ASIA1",
    ),
    *(
        "eyJ",
        " eyJ",
        "-eyJ",
        "eyJa.",
        "sk-",
        "sk-12",
        "sk-proj-",
        "ghp_",
        "xoxb-",
        "://",
        "a://b:",
        "a://b:c@",
        "bearer ",
        "basic ",
    ),
    *(
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "-----END ",
        ";pwd=a",
        "aws_key=",
        "api_key=",
        "password:",
        "0Q~",
        "1:AA",
    ),
    *(
        "\\",
        "\\\\",
        "\\u0031",
        "\\n",
        "\\x31",
        '\\"',
        "%31",
        "%2531",
        "%",
        "&amp;",
        "&#49;",
        "&",
        "<b>",
        "<b ",
        "<!--",
        "</i>",
    ),
    *(
        "\uff11",
        "1\u200b",
        "\u0661",
        "\u2011",
        "\u00a0",
        "\u4e2d",
        "\U0001d7ce",
        '"',
        '","a":',
        '"ssn":"',
        "{",
        "[",
        ",",
        "QUJD",
        "/",
    ),
)
MOST_SECONDS = 6.0
"""CPU seconds for a MiB; some five times of what the worst takes on an idle machine."""


def seconds_a_mebibyte(data: bytes, finder: Finder) -> float:
    before = time.thread_time()
    finder.find(data)
    return (time.thread_time() - before) * (1 << 20) / len(data)


def repeated(text: str, size: int) -> bytes:
    return (text * (size // len(text.encode()) + 1)).encode()[:size]


@pytest.mark.slow
@pytest.mark.parametrize("is_loose", [False, True], ids=["strict", "loose"])
def test_no_mix_of_beginnings_takes_long(is_loose: bool) -> None:
    chance = random.Random(11)  # noqa: S311  the same mixes in every run
    finder = Finder(DETECTORS, is_loose=is_loose, tick=unhurried)
    bodies = [repeated(atom, SIZE) for atom in ATOMS]
    for _ in range(300):
        few = chance.sample(ATOMS, chance.choice((2, 2, 3, 4)))
        bodies.append("".join(chance.choice(few) for _ in range(SIZE // 3)).encode()[:SIZE])
    finder.find(bodies[0])
    slow = {body[:60]: taken for body in bodies if (taken := seconds_a_mebibyte(body, finder)) > MOST_SECONDS}
    assert slow == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "atom", ["4111 ", "born ", " eyJ", "<b>", "\\u0031", "ssn ", "a://b:", "\uff11", "-----BEGIN ", "%31"]
)
def test_time_grows_with_the_length_alone(atom: str) -> None:
    finder = Finder(DETECTORS, is_loose=True, tick=unhurried)
    finder.find(repeated(atom, 4096))
    short = min(seconds_a_mebibyte(repeated(atom, SIZE), finder) for _ in range(3))
    long = min(seconds_a_mebibyte(repeated(atom, 16 * SIZE), finder) for _ in range(2))
    assert long < 4 * short + 0.2
