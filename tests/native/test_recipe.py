"""`make compiled` builds anew whenever anything that takes part in a build is another, not a source alone."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aegis_authz.native import DISTRIBUTION, MANIFEST, SUFFIX, Manifest

ROOT = Path(__file__).parents[2]
UP_TO_DATE = "[compiled] what is installed was made of these very sources, in this very way"


def recipe_of(checkout: Path) -> str:
    spec = importlib.util.spec_from_file_location("native_recipe", ROOT / "native" / "recipe.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.recipe(checkout / "native"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout as far as a build reads it, with a build in place that was made by its recipe; no compiler is there."""
    shutil.copytree(ROOT / "native", tmp_path / "native")
    (tmp_path / "scripts").mkdir()
    for place in ("scripts/compiled", "pyproject.toml"):
        shutil.copy(ROOT / place, tmp_path / place)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    package = tmp_path / "packages" / DISTRIBUTION
    package.mkdir(parents=True)
    for name in ("__init__.py", f"part{SUFFIX}"):
        (package / name).touch()
    manifest = Manifest(SUFFIX, "mypyc 1.0", {}, {"part": f"part{SUFFIX}"}, recipe_of(tmp_path))
    (package / MANIFEST).write_text(json.dumps(manifest._asdict()))
    return tmp_path


def line_of(checkout: Path) -> str:
    """What `make compiled` says first: that nothing is to do, or that it has no compiler for what is."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "packages"), "CC": str(checkout / "no-compiler")}
    return subprocess.run(
        [checkout / "scripts" / "compiled"], env=environment, capture_output=True, text=True, timeout=60, check=False
    ).stderr.splitlines()[0]


def test_a_build_of_these_sources_and_this_recipe_is_not_made_again(checkout: Path) -> None:
    assert line_of(checkout) == UP_TO_DATE


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        ("native/pyproject.toml", '    "core/effect.py",\n', ""),
        ("native/pyproject.toml", 'optimization = "3"', 'optimization = "2"'),
        ("native/constructors.py", "__post_init__", "__after__"),
        ("native/setup.py", "multi_file=True", "multi_file=False"),
        ("pyproject.toml", "[tool.mypy]\n", "[tool.mypy]\nstrict_bytes = true\n"),
    ],
)
def test_a_build_that_was_made_in_another_way_is_made_again(checkout: Path, place: str, old: str, new: str) -> None:
    text = (checkout / place).read_text("utf-8")
    assert old in text
    (checkout / place).write_text(text.replace(old, new), "utf-8")
    assert line_of(checkout).startswith("[compiled] there is no C compiler")


def test_what_has_no_part_in_a_build_makes_none(checkout: Path) -> None:
    with (checkout / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n[tool.else]\nlines = 1\n")
    assert line_of(checkout) == UP_TO_DATE
