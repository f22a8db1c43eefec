"""The packaging says one thing in all its files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = {name: (ROOT / "requirements" / f"{name}.txt").read_text() for name in ("runtime", "dev", "uv")}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def _locked(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*])?==(\S+)", LOCKS[lock], re.MULTILINE))


def _declared() -> dict[str, list[str]]:
    extras = PROJECT["project"]["optional-dependencies"]
    return {
        "runtime": [_name(one) for one in PROJECT["project"]["dependencies"]],
        "extras": [_name(one) for group in extras.values() for one in group],
        "dev": [_name(one) for one in PROJECT["dependency-groups"]["dev"]],
    }


def test_every_declared_dependency_is_locked() -> None:
    declared = _declared()
    assert set(declared["runtime"]) - set(_locked("runtime")) == set()
    assert {one for group in declared.values() for one in group} - set(_locked("dev")) == set()


def test_the_runtime_lock_is_a_part_of_the_development_lock() -> None:
    assert _locked("runtime").items() <= _locked("dev").items()


def test_locks_hold_hashes_and_no_addresses() -> None:
    for text in LOCKS.values():
        entries = re.split(r"\n(?=[a-z0-9])", text.strip())
        assert all("--hash=sha256:" in entry for entry in entries)
        assert "://" not in text


def test_every_dependency_says_what_it_is_for() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    tables = re.findall(r"^\| package \|.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    explained = {_name(name) for table in tables for name in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)}
    declared = {one for group in _declared().values() for one in group}
    assert explained - declared == set()
    assert declared - explained == set()
