"""Prometheus and promtool: those of PATH, or Debian's package, unpacked once into the user's cache."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.local.servers import unpacked_prometheus

_CACHE = unpacked_prometheus()
_PATIENCE = 60.0


def program(name: str) -> Path:
    """The program; skips the test, saying why, where it cannot be had."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    place = _CACHE / "usr" / "bin" / name
    if not place.exists():
        _unpack()
    return place


def _unpack() -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        pytest.skip("neither prometheus on PATH nor apt-get to get Debian's: dashboards and rules are NOT checked")
    _CACHE.mkdir(parents=True, exist_ok=True)
    got = subprocess.run(["apt-get", "download", "prometheus"], cwd=_CACHE, capture_output=True, text=True, check=False)  # noqa: S607  # from PATH, as asked above
    packages = list(_CACHE.glob("prometheus_*.deb"))
    if got.returncode or not packages:
        pytest.skip(
            f"Debian's prometheus cannot be had, dashboards and rules are NOT checked: {got.stderr.strip()[-200:]}"
        )
    subprocess.run(["dpkg", "-x", packages[0].name, "."], cwd=_CACHE, check=True)  # noqa: S607  # as above


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A server that runs."""

    url: str

    def ask(self, path: str, **words: str) -> Any:
        """What its HTTP API answers."""
        query = urllib.parse.urlencode(words)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:  # noqa: S310  # our own
            return json.load(answer)["data"]

    def value_count(self, expression: str) -> int:
        """How many series an expression has now."""
        return len(self.ask("query", query=expression)["result"])

    def await_samples(self, expression: str) -> None:
        """Wait until an expression has a value."""
        until = time.monotonic() + _PATIENCE
        while not self.value_count(expression):
            assert time.monotonic() < until, f"{expression} has no value"
            time.sleep(0.1)


@contextmanager
def prometheus(folder: Path, port: int, config: str) -> Iterator[Prometheus]:
    """A server of this configuration, which keeps its data in `folder`."""
    (folder / "prometheus.yml").write_text(config)
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _await_ready(process, f"http://127.0.0.1:{port}/-/ready", folder / "log")
            yield Prometheus(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(30)


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # our own
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())
