"""Where vegeta is on this machine; built from its Go module into the user's cache when it is nowhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from aegis_authz.local.program_cache import (
    BuildFailed,
    GoProgram,
    Progress,
    build_go,
    cached,
    find_go,
    put_in_place,
    runs,
)

VERSION = "12.13.0"
"""The version that is built; Go checks the module against its checksum database."""
MODULE = "github.com/tsenart/vegeta/v12"
SETTING = "AEGIS_VEGETA"

_ASK_TIMEOUT = 10.0
_KNOWS_IT = re.compile(r"-max-workers\b")


class VegetaMissing(Exception):
    """vegeta cannot be had; the message says why and with which commands to get it."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"vegeta: {why}. Install Go and run `go install {MODULE}@v{VERSION}`,"
            f" or set {SETTING} to a vegeta binary of version 12"
        )
        self.why = why


def cached_vegeta() -> Path:
    """Where the built vegeta is kept, whether or not it is there yet."""
    return cached("vegeta", VERSION)


def say_on_stderr(line: str) -> None:
    """Progress as `make` and the commands show it."""
    sys.stderr.write(f"[vegeta] {line}\n")
    sys.stderr.flush()


def find_vegeta(say: Progress = say_on_stderr) -> Path:
    """The vegeta binary: `AEGIS_VEGETA`, one on PATH, the cached one, else built now, which takes about a minute.

    Safe to run several times at once: one builds, the others wait for it. Raises VegetaMissing, and OSError when
    the cache cannot be written.
    """
    binary = os.environ.get(SETTING, "")
    if binary:
        return _accepted(Path(binary).absolute(), f"{SETTING} names {binary}, which")
    program = shutil.which("vegeta")
    if program is not None and _is_vegeta(Path(program)):
        return Path(program).absolute()
    target = cached_vegeta()
    if not runs(target):
        put_in_place(target, lambda folder: _accepted(_build(folder, say), "what Go built"), say)
    return target


def _build(folder: Path, say: Progress) -> Path:
    """The binary compiled into `folder`. Raises VegetaMissing."""
    try:
        go = find_go()
    except BuildFailed:
        raise VegetaMissing("it is not on PATH, and there is no go to build it with") from None
    say(f"building vegeta {VERSION} with Go, about a minute")
    try:
        return build_go(go, GoProgram("vegeta", MODULE, VERSION), folder, say)
    except BuildFailed as problem:
        raise VegetaMissing(f"it cannot be built ({problem})") from problem


def _accepted(path: Path, subject: str) -> Path:
    if not runs(path):
        raise VegetaMissing(f"{subject} is not an executable file")
    if not _is_vegeta(path):
        raise VegetaMissing(f"{subject} is not a vegeta that knows -max-workers")
    return path


def _is_vegeta(path: Path) -> bool:
    # A vegeta built by `go install` does not tell its version; what is needed is asked for instead.
    try:
        usage = subprocess.run(
            [path, "attack", "-h"], capture_output=True, text=True, timeout=_ASK_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return _KNOWS_IT.search(usage.stdout + usage.stderr) is not None
