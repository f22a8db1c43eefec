"""What makes compiled modules of sources: the list of modules, these programs, the options and version of the compiler.

An installed package cannot hold a build against it, for `native/` is not there; `scripts/compiled` does, in a checkout.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent


def recipe(folder: Path = HERE) -> str:
    """The digest of all that takes part in a build but sources and the interpreter. `folder` is that of setup.py."""
    files = sorted([*folder.rglob("*.py"), folder / "pyproject.toml"])
    programs = {file.relative_to(folder).as_posix(): file.read_text("utf-8") for file in files}
    options = tomllib.loads((folder.parent / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    parts = (programs, options, importlib.metadata.version("mypy"))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
