"""Puts the pinned OPA into the user's cache: the official release, else built from its Go module.

Standard library only: `make setup` runs it before anything is installed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

from aegis_authz.local import pins
from aegis_authz.local.servers import ServerMissing, accept_opa, cached_opa

Say = Callable[[str], None]
"""Takes one line of progress."""

_GIVE_UP_AFTER = 3.0
"""Seconds a network without the release may cost, name resolution included."""
_TELL_EVERY = 20.0
"""Seconds between two lines of progress while OPA is compiled."""
_CHUNK = 1 << 20
_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_GO_OFF_PATH = Path("/usr/local/go/bin/go")
"""Where Go's own installer puts it; a bare root shell often has it nowhere on PATH."""


class _Unavailable(Exception):
    """One way of getting OPA does not work here; the message says why."""


def fetch_opa(say: Say) -> Path:
    """The cached OPA, fetched or built first when it is not there yet.

    Safe to run several times at once: one works, the others wait for it. Raises ServerMissing when
    neither way works, OSError when the cache cannot be written.
    """
    target = cached_opa()
    if _fit(target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(target.parent / ".lock", say):
        if _fit(target):
            return target
        # Beside the target, so that putting it in place is one rename.
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as folder:
            fresh = _obtain(Path(folder), say)
            accept_opa(fresh).replace(target)
    return target


def _fit(target: Path) -> bool:
    return target.is_file() and os.access(target, os.X_OK)


def _obtain(folder: Path, say: Say) -> Path:
    """A fresh binary in `folder`. Raises ServerMissing with both reasons when there is no way."""
    try:
        return _download(folder, say)
    except _Unavailable as problem:
        no_release = str(problem)
    say(f"no release binary ({no_release}); building OPA {pins.OPA_VERSION} with Go, about two minutes")
    try:
        return _build(folder, say)
    except _Unavailable as problem:
        raise ServerMissing(
            "opa",
            f"the release cannot be downloaded ({no_release}) and OPA cannot be built ({problem})",
            f"Install Go or OPA {pins.OPA_VERSION}, or set AEGIS_OPA_BIN to an OPA binary",
        ) from problem


@contextmanager
def _only_one(lock: Path, say: Say) -> Iterator[None]:
    """Hold the lock file; wait for whoever holds it. The kernel frees it when a holder dies."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another installation is getting OPA; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def release_name() -> str | None:
    """The file name of the official binary for this machine; None when there is none."""
    system, machine = _SYSTEMS.get(platform.system()), _MACHINES.get(platform.machine())
    if system is None or machine is None:
        return None
    # The static build needs no C library of a given age.
    suffix = "" if (system, machine) == ("darwin", "amd64") else "_static"
    return f"opa_{system}_{machine}{suffix}"


def _download(folder: Path, say: Say) -> Path:
    """The official binary, checked against its published SHA-256. Raises _Unavailable."""
    name = release_name()
    if name is None:
        raise _Unavailable(f"none for {platform.system()} {platform.machine()}")
    expected = parse_checksum(_published_checksum(name))
    say(f"downloading OPA {pins.OPA_VERSION}")
    target = folder / "opa"
    digest = hashlib.sha256()
    try:
        with _open(name) as answer, target.open("wb") as out:
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
    except OSError as problem:
        raise _Unavailable(f"the download broke off: {problem}") from problem
    if digest.hexdigest() != expected:
        raise _Unavailable("the download does not match its published SHA-256")
    target.chmod(0o755)
    return target


def _open(name: str) -> HTTPResponse:
    """A file of the release. Raises OSError."""
    answer: HTTPResponse = urllib.request.urlopen(pins.OPA_RELEASE + name, timeout=_GIVE_UP_AFTER)  # noqa: S310 (https)
    return answer


def _published_checksum(name: str) -> str:
    """The text of the binary's `.sha256` file. Raises _Unavailable when it is not there in time."""
    answers: list[str | OSError] = []

    def ask() -> None:
        try:
            with _open(f"{name}.sha256") as answer:
                answers.append(answer.read(4096).decode("ascii", "replace"))
        except OSError as problem:
            answers.append(problem)

    # A resolver that hangs ignores socket timeouts: ask in a thread that may be left behind.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_GIVE_UP_AFTER)
    if not answers:
        raise _Unavailable(f"no answer within {_GIVE_UP_AFTER:g} s")
    answer = answers[0]
    if isinstance(answer, OSError):
        raise _Unavailable(str(answer))
    return answer


def parse_checksum(text: str) -> str:
    """The SHA-256 in a `.sha256` file (`<hex>  <name>`), as lower-case hex.

    Raises an error that sends the caller to the next way of getting OPA when it holds none.
    """
    words = text.split()
    digest = words[0].lower() if words else ""
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise _Unavailable("its published SHA-256 cannot be read")
    return digest


def _build(folder: Path, say: Say) -> Path:
    """Compile the Go module of the pinned version, which Go checks against its checksum database."""
    go = shutil.which("go") or (str(_GO_OFF_PATH) if os.access(_GO_OFF_PATH, os.X_OK) else None)
    if go is None:
        raise _Unavailable("no go is on PATH")
    # A target platform in the environment would make `go install` refuse GOBIN.
    environment = {key: value for key, value in os.environ.items() if key not in ("GOOS", "GOARCH")}
    environment |= {"GOBIN": str(folder), "CGO_ENABLED": "0"}
    command = [go, "install", "-trimpath", "-ldflags=-s -w", "-tags", pins.OPA_BUILD_TAGS]
    command.append(f"{pins.OPA_MODULE}@v{pins.OPA_VERSION}")
    try:
        code, complaints = _run_telling(command, environment, say)
    except OSError as problem:
        raise _Unavailable(f"{go} does not run: {problem}") from problem
    if code != 0:
        # Go's last lines hold the reason; the ones before list what it downloaded.
        raise _Unavailable("; ".join(complaints.strip().splitlines()[-3:]) or f"go ended with {code}")
    return folder / "opa"


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
                    say(f"still building OPA ({time.monotonic() - started:.0f} s)")
        except BaseException:
            process.terminate()
            raise
