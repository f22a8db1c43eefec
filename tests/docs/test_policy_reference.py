"""docs/policy-reference.md: the documents it shows load together, and decide as its tests say."""

from __future__ import annotations

import re
from pathlib import Path

from typer.testing import CliRunner

from aegis_authz.cli.app import app
from aegis_authz.policy.load import Loaded, load
from aegis_authz.redact.detectors.table import DETECTORS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "policy-reference.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def shown(first: str) -> dict[str, str]:
    """The blocks that begin with this key, as files."""
    return {f"{first}-{number}.yaml": block for number, block in enumerate(BLOCKS) if block.startswith(f"{first}:")}


def documents() -> Loaded:
    return load(policies(), shown("tool"), DETECTORS)


def policies() -> dict[str, str]:
    return {path: text for first in ("org", "define", "agents", "trust") for path, text in shown(first).items()}


def test_what_the_page_shows_can_be_loaded_as_one_folder() -> None:
    loaded = documents()
    assert [one.title for one in loaded.policies] == ["payments", "standing-acme"]
    assert {one.name for one in loaded.tools} == {"stripe-payments", "github", "people"}
    assert len(list(loaded.identities.entries())) == 2
    assert [trusted.document.trust for trusted in loaded.identities.trusts] == ["build-servers"]


def test_the_tests_on_the_page_pass(tmp_path: Path) -> None:
    for folder, files in (("agents", policies()), ("tools", shown("tool"))):
        (tmp_path / folder).mkdir()
        for name, text in files.items():
            (tmp_path / folder / name).write_text(text, "utf-8")
    for name, text in shown("tests").items():
        (tmp_path / "agents" / name.replace(".yaml", "_test.yaml")).write_text(text, "utf-8")
    folders = ["--policies", str(tmp_path / "agents"), "--tools", str(tmp_path / "tools")]
    done = CliRunner().invoke(app, ["policy", "test", *folders])
    assert (done.exit_code, done.output.strip()) == (0, "6 passed")
