"""Becoming Envoy, where nobody else starts it: its version judged and its configuration there, or a sentence why not.

Standard library only: the image of Envoy has nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from aegis_authz.local.servers import find_envoy

_LOOK_EVERY = 0.2


class EnvoyNotStarted(Exception):
    """Envoy cannot be started; the message says why and what to do."""


def become_envoy(config: Path, concurrency: int, wait: float, say: Callable[[str], None]) -> NoReturn:
    """Replace this process by Envoy on `config`, once that is there.

    `concurrency` is how many threads carry calls, `wait` for how many seconds the file may be missing. What is waited
    for is said. Raises ServerMissing for an Envoy that is absent or too old, EnvoyNotStarted, OSError.
    """
    envoy = find_envoy()
    _wait_for(config, wait, say)
    os.execv(envoy, envoy_command(envoy, config, concurrency))  # noqa: S606  # no shell is wanted


def envoy_command(envoy: Path, config: Path, concurrency: int) -> tuple[str, ...]:
    """The arguments of Envoy, its own path first."""
    return (
        str(envoy),
        "--config-path",
        str(config),
        "--file-flush-interval-msec",
        "1000",
        "--concurrency",
        str(concurrency),
        "--disable-hot-restart",  # leaves no shared memory behind, and needs no base id
        "--log-level",
        "warning",
    )


def _wait_for(config: Path, seconds: float, say: Callable[[str], None]) -> None:
    if config.is_file():
        return
    say(f"waits for {config}, which `aegis serve routes` writes once OPA runs a bundle")
    end = time.monotonic() + seconds
    while not config.is_file():
        if time.monotonic() > end:
            raise EnvoyNotStarted(
                f"{config} was not written in {seconds:g} seconds; look at the log of `aegis serve routes`, and whether"
                " both have the same folder"
            )
        time.sleep(_LOOK_EVERY)
