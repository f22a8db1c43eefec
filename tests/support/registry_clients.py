"""Programs of others, installed from their registries into the user's cache folder: once, each set of them apart."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

_SECONDS = 500


def python_clients(*requirements: str) -> Path:
    """The Python of an environment with these packages. Skips the test where they cannot be had."""
    folder = _folder("python", requirements)
    python = folder / "bin" / "python"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        _install([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements], folder)
    return python


def node_clients(*requirements: str) -> Path:
    """A folder with these packages of Node. Skips the test where they cannot be had."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("NO CLIENTS OF NODE: there is no node or npm on PATH")
    folder = _folder("node", requirements)
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true, "type": "module"}')
        _install(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *requirements], folder)
    return folder


def node_lock(source: Path) -> Path:
    """A folder with the packages of the lock file in `source`. Skips the test where they cannot be had."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("NO CLIENTS OF NODE: there is no node or npm on PATH")
    names = ("package.json", "package-lock.json", ".npmrc")
    folder = _folder("lock", tuple((source / name).read_text("utf-8") for name in names))
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in names:
            shutil.copy(source / name, folder / name)
        _install(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    return folder


def _folder(kind: str, requirements: tuple[str, ...]) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:16]
    return cache / "aegis" / "test-clients" / f"{kind}-{name}"


def _install(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode != 0:
        shutil.rmtree(folder)
        pytest.skip(f"NO CLIENTS FROM THE REGISTRY: {' '.join(command[:3])}: {done.stderr.strip()[-300:]}")
    (folder / "done").touch()
