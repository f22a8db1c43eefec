"""Puts the pinned OPA into the user's cache: the official release, else built from its Go module.

Standard library only: `make setup` runs it before anything is installed.
"""

from __future__ import annotations

import hashlib
import platform
import threading
import urllib.request
from http.client import HTTPResponse
from pathlib import Path

from aegis_authz.local import pins
from aegis_authz.local.program_cache import BuildFailed, GoProgram, Progress, build_go, find_go, put_in_place, runs
from aegis_authz.local.servers import ServerMissing, accept_opa, cached_opa

_GIVE_UP_AFTER = 3.0
"""Seconds a network without the release may cost, name resolution included."""
_CHUNK = 1 << 20
_SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class _Unavailable(Exception):
    """The release cannot be had here; the message says why."""


def fetch_opa(say: Progress) -> Path:
    """The cached OPA, fetched or built first when it is not there yet.

    Safe to run several times at once: one works, the others wait for it. Raises ServerMissing when
    neither way works, OSError when the cache cannot be written.
    """
    target = cached_opa()
    if not runs(target):
        put_in_place(target, lambda folder: accept_opa(_obtain(folder, say)), say)
    return target


def _obtain(folder: Path, say: Progress) -> Path:
    """A fresh binary in `folder`. Raises ServerMissing with both reasons when there is no way."""
    try:
        return _download(folder, say)
    except _Unavailable as problem:
        no_release = str(problem)
    say(f"no release binary ({no_release}); building OPA {pins.OPA_VERSION} with Go, about two minutes")
    try:
        return build_go(
            find_go(), GoProgram("opa", pins.OPA_MODULE, pins.OPA_VERSION, pins.OPA_BUILD_TAGS), folder, say
        )
    except BuildFailed as problem:
        raise ServerMissing(
            "opa",
            f"the release cannot be downloaded ({no_release}) and OPA cannot be built ({problem})",
            f"Install Go or OPA {pins.OPA_VERSION}, or set AEGIS_OPA_BIN to an OPA binary",
        ) from problem


def release_name() -> str | None:
    """The file name of the official binary for this machine; None when there is none."""
    system, machine = _SYSTEMS.get(platform.system()), _MACHINES.get(platform.machine())
    if system is None or machine is None:
        return None
    # The static build needs no C library of a given age.
    suffix = "" if (system, machine) == ("darwin", "amd64") else "_static"
    return f"opa_{system}_{machine}{suffix}"


def _download(folder: Path, say: Progress) -> Path:
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
