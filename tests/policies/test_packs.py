"""The packs in policies/packs: each loads, passes its tests, tries everything, and leaves no mutant alive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aegis_authz.cli.app import app
from aegis_authz.commands.lab import loaded_folders

ROOT = Path(__file__).resolve().parents[2]
PACKS = ROOT / "policies" / "packs"
PAGES = ROOT / "docs" / "packs"
NAMES = sorted(path.name for path in PACKS.iterdir())


def ran(pack: str, *command: str) -> tuple[int, str]:
    """One `aegis policy` command on a pack."""
    folders = ["--policies", str(PACKS / pack / "agents"), "--tools", str(PACKS / pack / "tools")]
    done = CliRunner().invoke(app, ["policy", *command, *folders], catch_exceptions=False)
    return done.exit_code, done.output


@pytest.mark.parametrize("pack", NAMES)
def test_a_pack_passes_its_tests_and_they_try_all_of_it(pack: str) -> None:
    code, said = ran(pack, "test", "--coverage-min", "100")
    assert code == 0, said


@pytest.mark.parametrize("pack", NAMES)
def test_nothing_in_a_pack_is_likely_not_meant(pack: str) -> None:
    code, said = ran(pack, "lint", "--strict")
    assert code == 0, said


@pytest.mark.parametrize("pack", NAMES)
def test_no_change_of_a_pack_goes_unnoticed(pack: str) -> None:
    code, said = ran(pack, "mutate", "--json")
    assert code == 0, said
    assert json.loads(said)["survivors"] == []


@pytest.mark.parametrize("pack", NAMES)
def test_a_pack_has_the_one_layout(pack: str) -> None:
    done = CliRunner().invoke(app, ["policy", "fmt", "--check", str(PACKS / pack)])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("pack", NAMES)
def test_a_pack_has_a_page_that_names_its_tools_and_actions(pack: str) -> None:
    page = (PAGES / f"{pack}.md").read_text("utf-8")
    loaded = loaded_folders(PACKS / pack / "agents", PACKS / pack / "tools")
    for name, tool in loaded.known_tools.items():
        assert f"`{name}`" in page
        for action in tool.actions or ():
            assert f"`{action}`" in page, action
    assert all(document.owner and document.description for document in loaded.policies)
    assert f"({pack}.md)" in (PAGES / "README.md").read_text("utf-8")
