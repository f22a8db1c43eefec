"""CONTRIBUTING.md names symbols, files and targets that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
HOW_TO_ADD = PAGE[PAGE.index("## How to add") :]
SOURCES = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "src").rglob("*.py")))
NOT_OURS = {"sanitize", "AEGIS_WORKER_HOST", "interpreted", "frozenset", "NoReturn", "True", "_thread"}
"""A word of policies, a variable of the environment, a mark of tests, and names of Python's own."""


def code(text: str) -> set[str]:
    """What the text sets in code."""
    return set(re.findall(r"`([^`\n]+)`", text))


def test_every_symbol_of_how_to_add_is_defined() -> None:
    symbols = {word for word in code(HOW_TO_ADD) if re.fullmatch(r"[A-Za-z_]{4,}", word)} - NOT_OURS
    assert len(symbols) > 10
    defined = set(re.findall(r"^ *(?:class|(?:async )?def) (\w+)|^ *(\w+)(?:: [^=\n]+)? = ", SOURCES, re.MULTILINE))
    names = {name for pair in defined for name in pair if name}
    assert symbols - names == set()


def test_every_file_and_folder_it_names_is_there() -> None:
    places = {word.rstrip("/") for word in code(PAGE) if re.fullmatch(r"[a-z_]+/[a-z0-9_/.]*", word)}
    assert {"rego", "tests/contract", "tests/e2e"} <= places
    assert {place for place in places if not (ROOT / place).exists()} == set()


def test_every_target_of_make_it_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = {word.split()[1] for word in code(PAGE) if word.startswith("make ")}
    assert {"setup", "test", "check"} <= targets
    assert {target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()
