"""Where vegeta is on this machine; built from its Go module into the user's cache when it is nowhere."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

Say = Callable[[str], None]
"""Takes one line of progress."""

VERSION = "12.13.0"
"""The version that is built; Go checks the module against its checksum database."""
MODULE = "github.com/tsenart/vegeta/v12"
SETTING = "AEGIS_VEGETA"

_TELL_EVERY = 10.0
_ASK_TIMEOUT = 10.0
_GO_OFF_PATH = Path("/usr/local/go/bin/go")
"""Where Go's own installer puts it; a bare root shell often has it nowhere on PATH."""
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
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification tells programs to ignore a relative path.
    base = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"
    return base / "aegis" / "vegeta" / VERSION / "vegeta"


def say_on_stderr(line: str) -> None:
    """Progress as `make` and the commands show it."""
    sys.stderr.write(f"[vegeta] {line}\n")
    sys.stderr.flush()


def find_vegeta(say: Say = say_on_stderr) -> Path:
    """The vegeta binary: `AEGIS_VEGETA`, one on PATH, the cached one, else built now, which takes about a minute.

    Safe to run several times at once: one builds, the others wait for it. Raises VegetaMissing, and OSError when
    the cache cannot be written.
    """
    named = os.environ.get(SETTING, "")
    if named:
        return _accepted(Path(named).absolute(), f"{SETTING} names {named}, which")
    found = shutil.which("vegeta")
    if found is not None and _is_vegeta(Path(found)):
        return Path(found).absolute()
    target = cached_vegeta()
    if not _runs(target):
        _build_into(target, say)
    return target


def _build_into(target: Path, say: Say) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another command is building vegeta; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if _runs(target):
            return
        # Beside the target, so that putting it in place is one rename.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as folder:
            _accepted(_build(Path(folder), say), "what Go built").replace(target)


def _build(folder: Path, say: Say) -> Path:
    """The binary compiled into `folder`. Raises VegetaMissing."""
    go = shutil.which("go") or (str(_GO_OFF_PATH) if os.access(_GO_OFF_PATH, os.X_OK) else None)
    if go is None:
        raise VegetaMissing("it is not on PATH, and there is no go to build it with")
    say(f"building vegeta {VERSION} with Go, about a minute")
    # A target platform in the environment would make `go install` refuse GOBIN.
    environment = {key: value for key, value in os.environ.items() if key not in ("GOOS", "GOARCH")}
    environment |= {"GOBIN": str(folder), "CGO_ENABLED": "0"}
    command = [go, "install", "-trimpath", "-ldflags=-s -w", f"{MODULE}@v{VERSION}"]
    try:
        code, complaints = _run_telling(command, environment, say)
    except OSError as problem:
        raise VegetaMissing(f"{go} does not run: {problem}") from problem
    if code != 0:
        # Go's last lines hold the reason; the ones before list what it downloaded.
        reason = "; ".join(complaints.strip().splitlines()[-3:]) or f"go ended with {code}"
        raise VegetaMissing(f"it cannot be built ({reason})")
    return folder / "vegeta"


def _run_telling(command: list[str], environment: dict[str, str], say: Say) -> tuple[int, str]:
    """Run a long command with a line of progress now and then; its exit status and what it complained of."""
    started = time.monotonic()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while True:
                try:
                    _, complaints = process.communicate(timeout=_TELL_EVERY)
                    return process.returncode, complaints
                except subprocess.TimeoutExpired:
                    say(f"still building vegeta ({time.monotonic() - started:.0f} s)")
        except BaseException:
            process.terminate()
            raise


def _accepted(path: Path, what: str) -> Path:
    if not _runs(path):
        raise VegetaMissing(f"{what} is not an executable file")
    if not _is_vegeta(path):
        raise VegetaMissing(f"{what} is not a vegeta that knows -max-workers")
    return path


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _is_vegeta(path: Path) -> bool:
    # A vegeta built by `go install` does not tell its version; what is needed is asked for instead.
    try:
        asked = subprocess.run(
            [path, "attack", "-h"], capture_output=True, text=True, timeout=_ASK_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return _KNOWS_IT.search(asked.stdout + asked.stderr) is not None
