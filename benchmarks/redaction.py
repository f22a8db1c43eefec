"""`python -m benchmarks.redaction`: what redaction costs for each kind of body, and for each detector by itself.

CPU time, the best of three; beside it what a loop of plain Python takes in the same moment, by which runs on other
machines can be compared. `--write` puts the table into docs/redaction.md.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from aegis_authz.core.decision import Redact, Target
from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.redact.sanitizer import Sanitizer
from benchmarks.report.pages import write_page

PAGE = Path(__file__).parent.parent / "docs" / "redaction.md"
SIZE = 256 * 1024
START, END = "<!-- costs -->", "<!-- /costs -->"
_ROUNDS = 3
_LOOPS = 100_000
_KIB = 1024


def _words(chance: random.Random) -> list[str]:
    return ["".join(chance.choice("etaoinshrdlucmfw") for _ in range(chance.randrange(2, 10))) for _ in range(3000)]


def _filled(piece: Callable[[], str]) -> str:
    parts: list[str] = []
    length = 0
    while length < SIZE:
        parts.append(piece())
        length += len(parts[-1])
    return "".join(parts)


def bodies() -> Mapping[str, bytes]:
    """One body of each kind, the same in every run."""
    chance = random.Random(3)  # noqa: S311  the same bodies in every run
    words = _words(chance)

    def word() -> str:
        return chance.choice(words)

    def record() -> str:
        return json.dumps(
            {"id": chance.randrange(10**6), "name": word(), "price": chance.randrange(10**6) / 100, "tags": [word()]}
        )

    records = f"[{_filled(lambda: record() + ',')}0]"
    texts = {
        "English text": _filled(lambda: word() + chance.choice([" "] * 8 + [", ", ". ", ".\n"])),
        "JSON records": records,
        "JSON of long decimals": json.dumps([chance.random() for _ in range(SIZE // 20)]),
        "JSON in a string": json.dumps({"text": records}),
        "HTML": _filled(
            lambda: f'<div class="{word()}"><p>{word()} <b>{word()}</b> {word()} &amp; {word()}</p></div>\n'
        ),
        "Chinese text": _filled(lambda: chr(chance.randrange(0x4E00, 0x9FA5)))[: SIZE // 3],
        "Chinese in `\\u` escapes": json.dumps(_filled(lambda: chr(chance.randrange(0x4E00, 0x9FA5)))[: SIZE // 6]),
        "Base64 without text": base64.b64encode(chance.randbytes(SIZE)).decode(),
        "hexadecimal ids": _filled(lambda: chance.randbytes(16).hex() + " "),
        "digits written as percent": "%31%32%33" * (SIZE // 9),
        "full-width digits": "\uff11\uff12\uff13" * (SIZE // 9),
        "mail addresses alone": "jo@example.org " * (SIZE // 15),
        "numbers that begin as cards do": _filled(lambda: f"4{chance.randrange(10**15):015} "),
        "groups that begin as cards do": _filled(lambda: f"4{chance.randrange(1000):03} "),
    }
    return {name: text.encode() for name, text in texts.items()}


def _seconds(action: Callable[[], object]) -> float:
    before = time.process_time()
    action()
    return time.process_time() - before


def _loop() -> int:
    total = 0
    for number in range(_LOOPS):
        total += number * number % 7
    return total


def microseconds_a_kibibyte(body: bytes, detectors: tuple[str, ...]) -> float:
    """CPU time for a KiB, the best of some rounds."""

    def redacted() -> bytes:
        obligation = Redact(Target.RESPONSE, detectors, ())
        return Sanitizer((obligation,), Target.RESPONSE, False, None).text(body)

    redacted()
    return min(_seconds(redacted) for _ in range(_ROUNDS)) * 1e6 * _KIB / len(body)


def table() -> str:
    """The costs as Markdown."""
    lines = ["| body | µs a KiB, all detectors | " + " | ".join(f"`{name}`" for name in DETECTORS) + " |"]
    lines.append("|---" * (len(DETECTORS) + 2) + "|")
    for kind, body in bodies().items():
        figures = [
            microseconds_a_kibibyte(body, names) for names in (tuple(DETECTORS), *((name,) for name in DETECTORS))
        ]
        lines.append(f"| {kind} | " + " | ".join(f"{figure:.0f}" for figure in figures) + " |")
    milliseconds = min(_seconds(_loop) for _ in range(9)) * 1e3
    lines.append(f"\nOn this machine a loop of {_LOOPS:,} steps of plain Python took {milliseconds:.1f} ms beside it.")
    return "\n".join(lines)


def main() -> None:
    """Measure; print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    text = table()
    if parser.parse_args().write:
        write_page(PAGE, START, END, text)
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
