"""Programs in the user's cache: where they lie, who may put one there, and how one is built from its Go module.

Standard library only: `make setup` gets OPA with it before anything is installed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[[str], None]
"""Takes one line of progress."""

_TELL_EVERY = 20.0
"""Seconds between two lines of progress while a program is compiled."""
_GO_OFF_PATH = Path("/usr/local/go/bin/go")
"""Where Go's own installer puts it; a bare root shell often has it nowhere on PATH."""


class BuildFailed(Exception):
    """A program cannot be built here; the message says why."""


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A program that `go install` builds: its command's name, its module, its version, its build tags."""

    name: str
    module: str
    version: str
    tags: str = ""


def cached(name: str, version: str) -> Path:
    """Where a program of that version is kept, whether or not it is there yet."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification tells programs to ignore a relative path.
    base = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"
    return base / "aegis" / name / version / name


def runs(path: Path) -> bool:
    """Whether a file is there that may be executed."""
    return path.is_file() and os.access(path, os.X_OK)


def put_in_place(target: Path, obtain: Callable[[Path], Path], say: Progress) -> None:
    """Have `obtain` make the program in a folder of its own and move it to `target`, unless it is there by now.

    Safe to run several times at once: one process works, the others wait for it, and the kernel frees the lock when
    one dies. Raises what `obtain` raises, and OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another command is getting {target.name}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if runs(target):
            return
        # Beside the target, so that putting it in place is one rename.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as folder:
            obtain(Path(folder)).replace(target)


def find_go() -> str:
    """The go command. Raises BuildFailed when there is none."""
    go = shutil.which("go") or (str(_GO_OFF_PATH) if os.access(_GO_OFF_PATH, os.X_OK) else None)
    if go is None:
        raise BuildFailed("no go is on PATH")
    return go


def build_go(go: str, program: GoProgram, folder: Path, say: Progress) -> Path:
    """Compile a module, which Go checks against its checksum database, into `folder`. Raises BuildFailed."""
    # A target platform in the environment would make `go install` refuse GOBIN.
    environment = {key: value for key, value in os.environ.items() if key not in ("GOOS", "GOARCH")}
    environment |= {"GOBIN": str(folder), "CGO_ENABLED": "0"}
    command = [go, "install", "-trimpath", "-ldflags=-s -w"]
    command += ["-tags", program.tags] if program.tags else []
    command.append(f"{program.module}@v{program.version}")
    try:
        code, complaints = _run_telling(command, environment, say, program.name)
    except OSError as problem:
        raise BuildFailed(f"{go} does not run: {problem}") from problem
    if code != 0:
        # Go's last lines hold the reason; the ones before list what it downloaded.
        raise BuildFailed("; ".join(complaints.strip().splitlines()[-3:]) or f"go ended with {code}")
    return folder / program.name


def _run_telling(command: list[str], environment: dict[str, str], say: Progress, name: str) -> tuple[int, str]:
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
                    say(f"still building {name} ({time.monotonic() - started:.0f} s)")
        except BaseException:
            process.terminate()
            raise
