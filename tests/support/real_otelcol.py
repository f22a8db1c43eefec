"""A real OpenTelemetry Collector: named by AEGIS_OTELCOL, or built once by its own builder into the user's cache."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis_authz.local.program_cache import cached, put_in_place, runs

VERSION = "0.165.0"
_CORE = "go.opentelemetry.io/collector"
_CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib"
_PARTS = {
    "receivers": [f"{_CORE}/receiver/otlpreceiver"],
    "processors": [f"{_CORE}/processor/batchprocessor", f"{_CORE}/processor/memorylimiterprocessor"],
    "exporters": [f"{_CORE}/exporter/otlphttpexporter", f"{_CONTRIB}/exporter/prometheusexporter"],
    "connectors": [f"{_CONTRIB}/connector/spanmetricsconnector"],
    "extensions": [f"{_CONTRIB}/extension/healthcheckextension"],
}
"""Those of deploy/otel/collector.yaml, and one that sends on what came."""
_BUILD_SECONDS = 1800
_START_SECONDS = 60.0


def collector_program() -> Path:
    """The program; skips the test, saying why, where there is none and none can be built."""
    named = os.environ.get("AEGIS_OTELCOL")
    if named:
        return Path(named)
    place = cached("otelcol", VERSION)
    if not runs(place):
        if shutil.which("go") is None:
            pytest.skip("NO COLLECTOR: it is built by Go, which is not on PATH, or named by AEGIS_OTELCOL")
        put_in_place(place, _built, print)
    return place


def _built(folder: Path) -> Path:
    parts = {kind: [{"gomod": f"{module} v{VERSION}"} for module in modules] for kind, modules in _PARTS.items()}
    manifest = {"dist": {"name": "otelcol", "output_path": str(folder / "out")}, **parts}
    (folder / "builder.yaml").write_text(yaml.safe_dump(manifest), "utf-8")
    command = ["go", "run", f"{_CORE}/cmd/builder@v{VERSION}", "--config", "builder.yaml", "--ldflags=-s -w"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)
    if done.returncode:
        pytest.skip(f"NO COLLECTOR: it cannot be built here: {done.stderr.strip()[-400:]}")
    return folder / "out" / "otelcol"


@contextmanager
def running_collector(folder: Path, config: Mapping[str, Any], port: int) -> Iterator[None]:
    """The collector on this configuration, from when it listens at `port`."""
    file, log = folder / "collector.yaml", folder / "collector.log"
    file.write_text(yaml.safe_dump(dict(config)), "utf-8")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [collector_program(), f"--config={file}"], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        until = time.monotonic() + _START_SECONDS
        while not _listens(port):
            assert process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
            assert time.monotonic() < until, "the collector does not listen"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
