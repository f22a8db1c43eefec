"""Builds `aegis-authz-native`: compiled modules of the package in ../src, each of a `.py` file that stays as it is.

Which ones, and why not others, is in pyproject.toml beside this. What they are laid out as is read by
`aegis_authz/native.py`: files named by their modules in one folder, none beside a source that it would shadow, and a
manifest, written last.
"""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.metadata
import json
import os
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from setuptools import Distribution, Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent / "src"
sys.path[:0] = [str(SOURCES), str(HERE)]

from constructors import with_constructors
from recipe import recipe

from aegis_authz import native  # of the sources that are compiled

PACKAGE = "aegis_authz"
GROUP = "aegis_authz_native"
SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
SETTINGS = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["tool"]["aegis"]


def compiled_files() -> list[Path]:
    """The sources that are compiled. Raises ValueError for a line of the settings that names none."""
    files = [SOURCES / PACKAGE / place for place in SETTINGS["compiled"]]
    for file in files:
        if not file.is_file():
            raise ValueError(f"there is no {file}")
    return files


def sources_of(files: Iterable[Path]) -> list[Path]:
    """These sources, and all of the package that they import, directly or not: what a compiler may have read."""
    waiting, met = list(files), set()
    while waiting:
        file = waiting.pop()
        if file not in met:
            met.add(file)
            waiting.extend(_imported(file))
    return sorted(met)


def digests_of(files: Iterable[Path]) -> dict[str, str]:
    """The digest of each of `sources_of` these, by its place in the package."""
    return {
        file.relative_to(SOURCES / PACKAGE).as_posix(): native.digest(file.read_bytes()) for file in sources_of(files)
    }


def _imported(file: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.partition(".")[0] == PACKAGE:
                place = SOURCES / name.replace(".", "/")
                yield from (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())


def shadows(files: Iterable[Path], folder: Path) -> Iterator[str]:
    """The words that have the compiler read texts with constructors, written to the folder, in place of these files."""
    for file in files:
        text = folder / file.relative_to(SOURCES)
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(with_constructors(file.read_text("utf-8")), "utf-8")
        yield from ("--shadow-file", str(file.relative_to(HERE.parent)), str(text))


class Compiler(build_ext):
    """Makes C of the sources and modules of the C, only when a wheel is really built."""

    def run(self) -> None:
        """Compile, then write the manifest."""
        from mypyc.build import mypycify

        files = compiled_files()
        # before a compiler reads them: who writes meanwhile makes the build a stale one
        digests, digest_of_recipe = digests_of(files), recipe()
        self.build_temp, self.build_lib = str(Path(self.build_temp).absolute()), str(Path(self.build_lib).absolute())
        options = ["--config-file", "pyproject.toml", "--cache-dir", str(Path(self.build_temp, "types"))]
        options += shadows(files, Path(self.build_temp, "texts"))
        os.chdir(HERE.parent)  # tracebacks name sources as a checkout does
        self.distribution.ext_modules = mypycify(
            [*options, *(str(file.relative_to(HERE.parent)) for file in files)],
            opt_level=SETTINGS["optimization"],
            debug_level="0",
            target_dir=self.build_temp,
            group_name=GROUP,
            multi_file=True,
        )
        self.swig_opts = None  # as before the first time
        super().finalize_options()  # of those that are known now
        super().run()
        self._write_manifest(digests, digest_of_recipe)

    def get_ext_fullpath(self, ext_name: str) -> str:
        """In the one folder, by the whole name."""
        return str(Path(self.build_lib, GROUP, f"{ext_name}{SUFFIX}"))

    def _write_manifest(self, digests: dict[str, str], digest_of_recipe: str) -> None:
        manifest = native.Manifest(
            SUFFIX,
            f"mypyc {importlib.metadata.version('mypy')}",
            digests,
            {extension.name: f"{extension.name}{SUFFIX}" for extension in self.extensions},
            digest_of_recipe,
        )
        place = Path(self.build_lib, GROUP, native.MANIFEST)
        place.write_text(json.dumps(manifest._asdict(), indent=1, sort_keys=True) + "\n", "utf-8")


class OfOnePlatform(Distribution):
    """A distribution whose modules are known only when they are compiled."""

    def has_ext_modules(self) -> bool:
        """Whether there are any: always."""
        return True


VERSION = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))["project"]["version"]

if __name__ == "__main__":
    setup(
        version=VERSION,
        install_requires=[f"aegis-authz=={VERSION}"],
        packages=[GROUP],
        ext_modules=[Extension(GROUP, [])],  # stands for those that the compiler makes
        cmdclass={"build_ext": Compiler},
        distclass=OfOnePlatform,
    )
