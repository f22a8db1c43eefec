"""The compiled modules of the rooms on the path of a call, run in place of their sources where they are installed.

The distribution `aegis-authz-native` (`native/` of the repository, `make compiled`) holds what mypyc made of `.py`
files of this package, and a manifest with the digest of each file that took part. The files stay, and run where there
is no such distribution. Compiled modules of other sources are never run: they would decide by rules of yesterday.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

DISTRIBUTION: Final = "aegis_authz_native"
"""The package that holds compiled modules, where they are installed."""
MANIFEST: Final = "build.json"
VARIABLE: Final = "AEGIS_NATIVE"
"""Names a `Mode`: of a worker, and of the tests."""
SUFFIX: Final = importlib.machinery.EXTENSION_SUFFIXES[0]
"""Of compiled modules of this very interpreter."""
REMEDY: Final = "`make compiled` builds them again, `make interpreted` removes them"
INTERPRETED: Final = "interpreted"
_PACKAGE: Final = __name__.partition(".")[0]
_SOURCES: Final = Path(__file__).parent
_MOST_NAMED: Final = 3


class Mode(Enum):
    """Whether compiled modules are run."""

    AUTO = "auto"
    """Where they are installed and of these sources; else the sources, and why is said."""
    OFF = "off"
    REQUIRED = "required"
    """Always; else the process does not start."""


class NativeUnusable(Exception):
    """Compiled modules are required and cannot be run, or the mode is none; the message is fit to show."""


class Manifest(NamedTuple):
    """What a build says of itself: its interpreter's suffix, its compiler, digests of sources, files of modules.

    A source is named by its place under the package, a file by its name within the distribution. `recipe` is the digest
    of what made modules of the sources (`native/recipe.py`), which a checkout alone can hold against its own.
    """

    suffix: str
    compiler: str
    sources: Mapping[str, str]
    modules: Mapping[str, str]
    recipe: str


@dataclass(frozen=True, slots=True)
class Build:
    """Compiled modules as they are installed; `trouble` says why they cannot be run, "" when they can."""

    folder: Path
    manifest: Manifest
    trouble: str

    def __str__(self) -> str:
        modules = max(len(self.manifest.modules) - 1, 0)  # one is what they share
        return f"compiled, {modules} modules, {self.manifest.compiler or 'nobody knows by what'}"


def digest(source: bytes) -> str:
    """How a manifest tells a source from every other."""
    return hashlib.sha256(source).hexdigest()


def mode_of(environment: Mapping[str, str]) -> Mode:
    """The mode that `VARIABLE` names, AUTO where nothing does. Raises NativeUnusable for another word."""
    word = environment.get(VARIABLE) or Mode.AUTO.value
    try:
        return Mode(word)
    except ValueError:
        words = ", ".join(mode.value for mode in Mode)
        raise NativeUnusable(f"{VARIABLE} is {word!r}, and must be one of {words}") from None


def examine() -> Build | None:
    """The build that is installed, held against the sources and the interpreter; None where there is none."""
    spec = importlib.util.find_spec(DISTRIBUTION)
    if spec is None or spec.origin is None:  # a folder without a package is what is left of one: caches
        return None
    return examine_folder(Path(spec.origin).parent, _SOURCES)


def examine_folder(folder: Path, sources: Path) -> Build:
    """The build in this folder, held against the sources of the package in that one."""
    try:
        manifest = _manifest((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        return Build(folder, Manifest("", "", {}, {}, ""), f"its {MANIFEST} cannot be used ({type(fault).__name__})")
    return Build(folder, manifest, _trouble(folder, manifest, sources))


def _manifest(text: bytes) -> Manifest:
    data = json.loads(text)
    sources, modules = ({str(key): str(value) for key, value in data[name].items()} for name in ("sources", "modules"))
    return Manifest(str(data["suffix"]), str(data["compiler"]), sources, modules, str(data["recipe"]))


def _trouble(folder: Path, manifest: Manifest, sources: Path) -> str:
    if manifest.suffix != SUFFIX:
        return f"they are of another Python: {manifest.suffix} and not {SUFFIX}"
    differing = [place for place, wanted in manifest.sources.items() if _digest_of(sources / place) != wanted]
    if differing:
        more = ", ..." if len(differing) > _MOST_NAMED else ""
        return f"they were made of other sources: {', '.join(differing[:_MOST_NAMED])}{more}"
    absent = [name for name in manifest.modules.values() if not (folder / name).is_file()]
    if absent or not manifest.modules:
        return f"files are missing: {', '.join(absent[:_MOST_NAMED]) or 'all of them'}"
    return ""


def _digest_of(file: Path) -> str:
    try:
        return digest(file.read_bytes())
    except OSError:
        return ""


class NativeFinder:
    """Finds the modules of a build before their sources are looked for (importlib's MetaPathFinder)."""

    def __init__(self, build: Build) -> None:
        self._files = {name: str(build.folder / file) for name, file in build.manifest.modules.items()}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where this module is, None for one that was not compiled."""
        file = self._files.get(fullname)
        if file is None:
            return None
        return importlib.util.spec_from_file_location(fullname, file, loader=ExtensionFileLoader(fullname, file))


def state() -> str:
    """What a worker runs that starts now with `Mode.AUTO`, in a word or a few."""
    build = examine()
    if build is None:
        return INTERPRETED
    return f"{INTERPRETED}, for compiled modules cannot be used: {build.trouble}" if build.trouble else str(build)


def use(mode: Mode) -> tuple[str, str]:
    """Run compiled modules from now on, as `mode` says: what runs, and why it is not what is installed, else "".

    To be called before any of them is imported. Raises NativeUnusable.
    """
    if mode is Mode.OFF:
        return INTERPRETED, ""
    build = examine()
    trouble = "no compiled modules are installed" if build is None else build.trouble
    if build is None or trouble:
        if mode is Mode.REQUIRED:
            raise NativeUnusable(f"compiled modules are required ({VARIABLE}), but {trouble}: {REMEDY}")
        return INTERPRETED, f"compiled modules are not used: {trouble}. {REMEDY}" if build is not None else ""
    early = sorted(build.manifest.modules.keys() & sys.modules.keys())
    if early:  # two classes of one name would be there, each refusing the other's values
        raise NativeUnusable(f"compiled modules come too late: {', '.join(early[:_MOST_NAMED])} is imported already")
    sys.meta_path.insert(0, NativeFinder(build))
    return str(build), ""


def use_as_environment_says() -> tuple[str, str]:
    """`use` with the mode that the environment names. Raises NativeUnusable."""
    return use(mode_of(os.environ))
