"""Builds what is published into `dist`, and looks into it: nothing is missing, and nothing else is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PYTHON_SDK = ROOT / "sdk" / "python"
NODE_SDK = ROOT / "sdk" / "node"


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
    _hold(path, modules, {name for name in _names(path) if _is_paper(name)})


def require_node_contents(path: Path) -> None:
    """That a package of npm holds its compiled modules, its manifest and its page alone. Raises WrongContents."""
    modules = {file.stem for file in (NODE_SDK / "src").glob("*.ts") if not file.name.endswith(".d.ts")}
    compiled = {f"dist/{module}{suffix}" for module in modules for suffix in (".js", ".d.ts")}
    _hold(path, compiled | {"package.json", "README.md"}, set())


def _hold(path: Path, needed: set[str], papers: set[str]) -> None:
    names = _names(path)
    missing, others = needed - names, names - needed - papers
    if missing or others:
        raise WrongContents(f"{path.name}: missing {sorted(missing)}, not ours {sorted(others)}")


def _is_ours(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts


def _names(path: Path) -> set[str]:
    """The files of an archive; those of a tarball without the folder that all of them are in."""
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


def node_sdk(folder: Path) -> Path:
    """`@aegis-authz/agent`, compiled in a place of its own by the compiler of its lock file, and looked into.

    Needs npm and a registry. Raises WrongContents, and CalledProcessError for what npm or the compiler complain of.
    """
    with TemporaryDirectory() as temporary:
        copy = Path(temporary) / "node"
        copy.mkdir()
        for name in ("package.json", "package-lock.json", ".npmrc", "tsconfig.json", "README.md"):
            shutil.copy(NODE_SDK / name, copy / name)
        shutil.copytree(NODE_SDK / "src", copy / "src")
        install = ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        pack = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder.resolve())]
        for command in (install, ["npm", "run", "--silent", "build"]):
            subprocess.run(command, cwd=copy, check=True, stdout=sys.stderr)
        name = subprocess.run(pack, cwd=copy, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    require_node_contents(folder / name)
    return folder / name


def main() -> int:
    """Build all of them, and say where they are."""
    if shutil.which("npm") is None:
        sys.stderr.write("there is no npm on PATH, which the package for Node is built by: nothing was built\n")
        return 1
    DIST.mkdir(exist_ok=True)
    for stale in DIST.glob("aegis[_-]*"):
        stale.unlink()
    packages = [*python_sdk(DIST), node_sdk(DIST), *build_python(ROOT, DIST)]
    sys.stdout.write("".join(f"{path.relative_to(ROOT)}  {path.stat().st_size} bytes\n" for path in packages))
    return 0


if __name__ == "__main__":
    sys.exit(main())
