"""A command whose requests pass the signer: its environment, its signals, its end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")
_BYPASSES = ("NO_PROXY", "no_proxy")
_REMOVED = ("ALL_PROXY", "all_proxy", "FTP_PROXY", "ftp_proxy")
AUTHORITIES = (
    "SSL_CERT_FILE",  # OpenSSL, and with it Python, Ruby and Go; httpx
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
)
"""The variables by which clients are given the file of authorities that they trust."""
BASE_URL = "AEGIS_BASE_URL"
"""The reverse routes: a tool of the catalogue answers at `$AEGIS_BASE_URL/<tool>`."""

_NOT_FOUND, _NOT_RUNNABLE = 127, 126
"""As shells end for a command that is not there, and for one that cannot be run."""


def command_environment(
    before: Mapping[str, str], url: str, direct: Sequence[str], authorities: Path | None
) -> dict[str, str]:
    """The environment of a command that calls through the signer at `url`.

    `direct` are hosts that it reaches beside the mesh, unjudged. What was set before for that does not count: a
    bypass that somebody inherits is one that nobody chose.
    """
    environment = {name: value for name, value in before.items() if name not in _REMOVED}
    environment |= dict.fromkeys(_PROXIES, url)
    environment |= dict.fromkeys(_BYPASSES, ",".join(direct))
    environment["NODE_USE_ENV_PROXY"] = "1"  # else fetch of Node goes its own way (Node 22.21 and 24 on)
    environment[BASE_URL] = url
    if authorities is not None:
        environment |= dict.fromkeys(AUTHORITIES, str(authorities))
    return environment


async def run_command(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command on our terminal until it ends; returns the exit code a shell would report.

    Signals that reach us reach it, those that come while it starts included. Whatever happens, it does not outlive us.
    """
    with _signals() as signals:
        try:
            child = await asyncio.create_subprocess_exec(*words, env=dict(environment))
        except FileNotFoundError:
            sys.stderr.write(f"aegis agent run: {words[0]}: command not found\n")
            return _NOT_FOUND
        except OSError as fault:
            sys.stderr.write(f"aegis agent run: {words[0]}: {fault.strerror}\n")
            return _NOT_RUNNABLE
        try:
            signals.pass_on_to(child)
            code = await child.wait()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
    return 128 - code if code < 0 else code


class _Signals:
    """What has reached us: for the command, once it runs."""

    def __init__(self) -> None:
        self._early: list[signal.Signals] = []
        self._child: asyncio.subprocess.Process | None = None

    def take(self, number: signal.Signals) -> None:
        if self._child is None:
            self._early.append(number)
        else:
            _pass_on(self._child, number)

    def pass_on_to(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        for number in self._early:
            _pass_on(child, number)


@contextmanager
def _signals() -> Iterator[_Signals]:
    loop, signals = asyncio.get_running_loop(), _Signals()
    for number in _PASSED_ON:
        loop.add_signal_handler(number, signals.take, number)
    try:
        yield signals
    finally:
        for number in _PASSED_ON:
            loop.remove_signal_handler(number)


def _pass_on(child: asyncio.subprocess.Process, number: signal.Signals) -> None:
    # a terminal tells its whole foreground group: the command has heard of these by itself
    if number in (signal.SIGINT, signal.SIGQUIT) and _is_of_our_group(child.pid) and sys.stdin.isatty():
        return
    if child.returncode is None:
        child.send_signal(number)


def _is_of_our_group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == os.getpgrp()
    except ProcessLookupError:
        return False
