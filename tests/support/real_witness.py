"""A real witness that is not ours: litewitness, built once by Go into the user's cache, with its key in an ssh-agent."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from aegis_authz.local.program_cache import BuildFailed, GoProgram, build_go, cached, find_go, put_in_place, runs

VERSION = "0.6.1"
_MODULE = "filippo.io/torchwood/cmd"
_NAME = "witness.example/w1"
_START_SECONDS = 30.0


@dataclass(frozen=True)
class RealWitness:
    """A witness that listens, and its verifier key as it says it."""

    url: str
    verifier_key: str


def witness_program(name: str) -> Path:
    """`litewitness` or `witnessctl`; skips the test, saying why, where it is not there and cannot be built."""
    if any(shutil.which(tool) is None for tool in ("ssh-agent", "ssh-add", "ssh-keygen")):
        pytest.skip("NO WITNESS: its key is in an ssh-agent, and OpenSSH is not on PATH")
    place = cached(name, VERSION)
    if not runs(place):
        try:
            go, program = find_go(), GoProgram(name, f"{_MODULE}/{name}", VERSION)
            put_in_place(place, lambda folder: build_go(go, program, folder, print), print)
        except BuildFailed as fault:
            pytest.skip(f"NO WITNESS: {name} cannot be built here: {fault}")
    return place


@contextmanager
def running_witness(logs: Mapping[str, str]) -> Iterator[RealWitness]:
    """The witness, which knows these logs: their verifier keys by their origins."""
    server, control = witness_program("litewitness"), witness_program("witnessctl")
    with tempfile.TemporaryDirectory(prefix="aegis-w-", dir="/tmp") as name:  # a socket needs a short path
        folder = Path(name)
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key"))
        for origin, key in logs.items():
            _run(str(control), "add-log", "-db", str(folder / "db"), "-origin", origin)
            _run(str(control), "add-key", "-db", str(folder / "db"), "-origin", origin, "-key", key)
        place = folder / "agent"
        agent = subprocess.Popen(["/usr/bin/env", "ssh-agent", "-D", "-a", str(place)], stdout=subprocess.DEVNULL)
        port = _port()
        try:
            _wait(place.exists)
            _run("ssh-add", "-q", str(folder / "key"), environment={**os.environ, "SSH_AUTH_SOCK": str(place)})
            fingerprint = _run("ssh-keygen", "-lf", str(folder / "key.pub")).split()[1]
            options = ["-db", str(folder / "db"), "-name", _NAME, "-key", fingerprint, "-ssh-agent", str(place)]
            with (folder / "log").open("wb") as log:
                process = subprocess.Popen(
                    [str(server), *options, "-listen", f"127.0.0.1:{port}"], stdout=log, stderr=log
                )
            try:
                url = f"http://127.0.0.1:{port}"
                _wait(lambda: process.poll() is not None or _answers(url))
                said = (folder / "log").read_text("utf-8")
                assert process.poll() is None, said
                yield RealWitness(url, said.partition("vkey=")[2].split()[0])
            finally:
                process.kill()
                process.wait()
        finally:
            agent.terminate()
            agent.wait()


def _run(*command: str, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.HTTPError:
        return False


def _wait(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + _START_SECONDS
    while not is_so():
        assert time.monotonic() < until, "the witness does not start"
        time.sleep(0.02)
