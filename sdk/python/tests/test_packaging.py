"""The package needs what it says, and its core next to nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from scripts.dist import WrongContents, python_sdk, require_contents

SDK = Path(__file__).parents[1]
SOURCE = SDK / "src" / "aegis_agent"
LOADED = """
import sys
import aegis_agent
print(*sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""
BROUGHT = {"aegis_agent", "cryptography", "_cffi_backend", "_openssl", "cffi"}


def test_the_core_depends_on_cryptography_alone() -> None:
    project = tomllib.loads((SDK / "pyproject.toml").read_text("utf-8"))["project"]
    assert [line.partition(">")[0] for line in project["dependencies"]] == ["cryptography"]
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {_paths()!r}\n{LOADED}"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert {name for name in printed if not name.startswith("__")} <= BROUGHT


def _paths() -> list[str]:
    return [str(SOURCE.parent), *(path for path in sys.path if path.endswith("-packages"))]


def test_clients_of_one_shape_differ_in_their_library_alone() -> None:
    first, second = ((SOURCE / name).read_text("utf-8") for name in ("httpx.py", "httpx2.py"))
    assert first.replace("httpx", "httpx2") == second
    first, second = ((SOURCE / name).read_text("utf-8") for name in ("openai.py", "anthropic.py"))
    assert first.replace("openai", "anthropic").replace("OpenAI", "Anthropic") == second


def test_the_extras_are_those_of_the_page() -> None:
    extras = tomllib.loads((SDK / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    page = (SDK.parents[1] / "docs" / "dependencies.md").read_text("utf-8").partition("## The SDK for Python")[2]
    rows = re.findall(r"^\| `([\w-]+)` \| (`.*`) \|$", page.partition("\n## ")[0], re.MULTILINE)
    assert {extra: re.findall(r"`([\w-]+)`", names) for extra, names in rows} == {
        extra: [line.partition(">")[0] for line in lines] for extra, lines in extras.items()
    }


def test_the_packages_hold_the_modules_and_nothing_else(tmp_path: Path) -> None:
    wheel, source = python_sdk(tmp_path)
    assert (source.suffix, wheel.suffix) == (".gz", ".whl")
    assert "aegis_agent/py.typed" in zipfile.ZipFile(wheel).namelist()
    with zipfile.ZipFile(wheel, "a") as opened:
        opened.writestr("aegis_agent/key.pem", "secret")
    with pytest.raises(WrongContents, match=r"not ours \['aegis_agent/key.pem'\]"):
        require_contents(wheel, "aegis_agent", SOURCE)


def test_files_are_short() -> None:
    assert [path.name for path in SOURCE.glob("*.py") if len(path.read_text("utf-8").splitlines()) > 400] == []
