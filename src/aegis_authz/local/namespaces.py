"""Network namespaces of our own (Linux): a pod and a world on one machine, and nothing left of either.

A namespace has no name but is that of a process, which ends with its standard input; so it is gone whatever ends us.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

_PROGRAMS = {
    "nft": "nftables",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
}
_SEARCHED = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_LINE_LIMIT = 64 * 1024 * 1024
_PATIENCE = 60.0


class CommandInside(Exception):
    """A command in a namespace ended with an error; the message holds what it complained of."""


@cache
def missing() -> str:
    """What this machine lacks for namespaces with rules of nftables, "" for nothing."""
    if os.geteuid() != 0:
        return "needs root"
    packages = sorted({package for program, package in _PROGRAMS.items() if not shutil.which(program, path=_SEARCHED)})
    if packages:
        return f"needs {' and '.join(packages)} (apt-get install {' '.join(packages)})"
    trial = in_namespace("nft", "add", "table", "inet", "aegis_trial")
    return "" if trial.returncode == 0 else f"needs network namespaces with nftables: {trial.stderr.strip()}"


def in_namespace(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a network namespace of its own, which is gone afterwards."""
    words = ["unshare", "--net", *command]
    return subprocess.run(
        words, stdin=DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, env=_environment(), check=False
    )


@asynccontextmanager
async def namespace() -> AsyncIterator[int]:
    """A network namespace, by the process that has it. Raises CommandInside."""
    async with running("unshare", "--net", "sh", "-c", "echo ready; exec cat") as process:
        if process.stdout is None or await process.stdout.readline() != b"ready\n":
            raise CommandInside("no network namespace can be made here")
        yield process.pid


@asynccontextmanager
async def running(*command: str) -> AsyncIterator[Process]:
    """A process on pipes, which is ended with the block; one that reads its standard input sees that end with us."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, env=_environment(), limit=_LINE_LIMIT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def inside(pid: int, *command: str) -> tuple[str, ...]:
    """A command as it is run in the network namespace of a process."""
    return ("nsenter", f"--net=/proc/{pid}/ns/net", "--", *command)


async def run(command: tuple[str, ...], text: str = "") -> str:
    """Run a command to its end, with this text to read; what it printed. Raises CommandInside."""
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=_environment())
    printed, complaint = await process.communicate(text.encode())
    if process.returncode != 0:
        raise CommandInside(f"{' '.join(command)}: {complaint.decode('utf-8', 'replace').strip()}")
    return printed.decode()


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": _SEARCHED}
