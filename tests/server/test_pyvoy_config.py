"""The Envoy around a worker hosted in pyvoy. That it serves is told by tests/contract/test_host_contract.py."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.bootstrap.pyvoy_process import pyvoy_command

pytest.importorskip("pyvoy", reason="pyvoy is not installed")

from aegis_authz.server.pyvoy_config import pyvoy_config

TINY = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
"""


def listener(address: str) -> Mapping[str, Any]:
    (one,) = pyvoy_config(address, "module:app")["static_resources"]["listeners"]
    return one  # type: ignore[no-any-return]


def manager(address: str = "unix:/run/authz.sock") -> Mapping[str, Any]:
    ((one,),) = (chain["filters"] for chain in listener(address)["filter_chains"])
    return one["typed_config"]  # type: ignore[no-any-return]


def test_a_unix_socket_is_for_its_owner_alone() -> None:
    assert listener("unix:/run/authz.sock")["address"] == {"pipe": {"path": "/run/authz.sock", "mode": 0o600}}


@pytest.mark.parametrize(
    ("address", "host", "port"), [("127.0.0.1:9001", "127.0.0.1", 9001), ("[::1]:9001", "::1", 9001)]
)
def test_it_may_listen_on_tcp(address: str, host: str, port: int) -> None:
    assert listener(address)["address"] == {"socket_address": {"address": host, "port_value": port}}


def test_it_speaks_http2_alone_and_ends_no_stream_for_its_age() -> None:
    http = manager()
    assert http["codec_type"] == "HTTP2"
    assert (http["stream_idle_timeout"], http["request_timeout"]) == ("0s", "0s")


def test_the_application_is_the_one_that_was_asked_for() -> None:
    assert "module:app" in json.dumps(manager()["http_filters"])


@pytest.mark.parametrize("address", ["unix:{folder}/authz.sock", "127.0.0.1:9001", "[::1]:9001"])
def test_its_envoy_accepts_it(address: str, tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text(TINY)
    arguments, environment = pyvoy_command(address.format(folder=tmp_path), "tiny:app")
    environment["PYTHONPATH"] += f":{tmp_path}"
    command = [*arguments, "--mode", "validate"]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
