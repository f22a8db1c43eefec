"""Builds what is published into `dist`, and looks into it: nothing is missing, and nothing else is there."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PYTHON_SDK = ROOT / "sdk" / "python"


class WrongContents(Exception):
    """A package holds too much or too little; the message names the files."""


def build_python(project: Path, folder: Path) -> list[Path]:
    """The wheel and the source distribution of a project, in a folder that may hold others."""
    before = set(folder.glob("*"))
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    return sorted(set(folder.glob("*")) - before)


def require_contents(path: Path, package: str, sources: Path) -> None:
    """That a package of Python holds its modules and its own papers alone. Raises WrongContents.

    `package` is the folder of the modules in the archive, `sources` where they are here.
    """
    modules = {f"{package}/{file.relative_to(sources).as_posix()}" for file in sources.rglob("*") if _is_ours(file)}
    names = _names(path)
    missing = modules - names
    others = {name for name in names - modules if not _is_paper(name)}
    if missing or others:
        raise WrongContents(f"{path.name}: missing {sorted(missing)}, not ours {sorted(others)}")


def _is_ours(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts


def _names(path: Path) -> set[str]:
    """The files of an archive; those of a source distribution without the folder that all of them are in."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return set(wheel.namelist())
    with tarfile.open(path) as archive:
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


def _is_paper(name: str) -> bool:
    return ".dist-info/" in name or name in (".gitignore", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml")


def python_sdk(folder: Path) -> list[Path]:
    """`aegis-agent`, looked into. Raises WrongContents."""
    built = build_python(PYTHON_SDK, folder)
    for path in built:
        package = "aegis_agent" if path.suffix == ".whl" else "src/aegis_agent"
        require_contents(path, package, PYTHON_SDK / "src" / "aegis_agent")
    return built


def main() -> int:
    """Build all of them, and say where they are."""
    DIST.mkdir(exist_ok=True)
    for stale in DIST.glob("aegis_*"):
        stale.unlink()
    packages = [*python_sdk(DIST), *build_python(ROOT, DIST)]
    sys.stdout.write("".join(f"{path.relative_to(ROOT)}  {path.stat().st_size} bytes\n" for path in packages))
    return 0


if __name__ == "__main__":
    sys.exit(main())
