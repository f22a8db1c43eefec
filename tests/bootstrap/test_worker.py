"""A worker's process in each host, without OPA, Redis and any extra: it is there, is not ready, and ends in order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from aegis_authz.cli import EXTRAS
from tests.support.missing_modules import without_modules
from tests.support.real_cluster import running_cluster

PATIENCE = 30.0

WITHOUT_EXTRAS = without_modules(EXTRAS)
"""The command line as a worker's image has it."""


@dataclass(frozen=True)
class Settings:
    """A worker's settings in a folder of its own."""

    folder: Path
    host: str
    redis: str

    @property
    def address(self) -> str:
        return f"unix:{self.folder}/authz-0.sock"

    def write(self) -> Path:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        settings = {
            "listen": f"unix:{self.folder}/authz-{{worker}}.sock",
            "host": self.host,
            "opa_socket": f"{self.folder}/opa.sock",
            "redis": self.redis,
            "records": f"{self.folder}/records",
            "record_key": f"{self.folder}/record.pem",
            "session_keys": f"{self.folder}/sessions.keys",
            "metrics": f"127.0.0.1:{port}",
            "metrics_dir": f"{self.folder}/metrics",
            "ready_socket": f"{self.folder}/ready-{{worker}}.sock",
            "drain_ms": 0,
        }
        place = self.folder / "authz.yaml"
        place.write_text(yaml.safe_dump(settings))
        return place

    def with_key(self) -> Settings:
        key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        place = self.folder / "record.pem"
        place.write_bytes(key)
        place.chmod(0o600)
        sessions = self.folder / "sessions.keys"
        sessions.write_text("0" * 64)
        sessions.chmod(0o600)
        return self


@pytest.fixture(params=["http2", "grpc"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return Settings(tmp_path, request.param, f"unix://{tmp_path}/redis.sock")


Start = Callable[[Settings], "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def started(settings: Settings) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WITHOUT_EXTRAS, "serve", "authz", "--config", str(settings.write())]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield started
    for process in processes:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code, and what it said."""
    said = process.communicate(timeout=PATIENCE)[1]
    return process.returncode, said


def test_a_worker_without_the_keys_of_sessions_does_not_start(settings: Settings, start: Start) -> None:
    (settings.with_key().folder / "sessions.keys").unlink()
    code, said = ended(start(settings))
    assert code == 2
    assert "sessions.keys: No such file" in said.strip().splitlines()[-1]


def test_what_keeps_a_worker_from_starting_is_said(settings: Settings, start: Start) -> None:
    code, said = ended(start(settings))
    assert code == 2
    last = said.strip().splitlines()[-1]
    assert last.startswith("aegis serve authz: ")
    assert "record.pem" in last
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("redis", "words"),
    [
        ("cluster://me:sesame@a", "a Redis Cluster is cluster://"),
        ("sentinel://me:sesame@a:1", "a Redis that Sentinels watch is sentinel://"),
        ("redis://me:ses/ame@a", "redis is none of redis://"),
    ],
)
def test_a_worker_whose_redis_is_no_place_says_what_one_is_and_shows_no_password(
    tmp_path: Path, start: Start, redis: str, words: str
) -> None:
    code, said = ended(start(Settings(tmp_path, "http2", redis).with_key()))
    assert code == 2
    assert words in said.strip().splitlines()[-1]
    assert "ame@" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_that_is_told_to_stop_ends_in_order(
    settings: Settings, start: Start, number: signal.Signals
) -> None:
    process = start(settings.with_key())
    async with grpc.aio.insecure_channel(
        settings.address, [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100)]
    ) as channel:
        asked = health_pb2.HealthCheckRequest()
        health = await health_pb2_grpc.HealthStub(channel).Check(asked, wait_for_ready=True, timeout=PATIENCE)
        assert health.status == health_pb2.HealthCheckResponse.NOT_SERVING
        authz = external_auth_pb2_grpc.AuthorizationStub(channel)
        answer = await authz.Check(external_auth_pb2.CheckRequest(), timeout=PATIENCE)
        assert answer.WhichOneof("http_response") == "denied_response"
        process.send_signal(number)
        code, said = await asyncio.to_thread(ended, process)
    assert code == 0, said
    assert list((settings.folder / "records" / "authz-0").iterdir())


async def test_a_worker_on_a_cluster_names_the_master_that_is_gone_and_has_a_store(
    redis_binary: Path, tmp_path: Path, start: Start
) -> None:
    with running_cluster(redis_binary) as cluster:
        start(Settings(tmp_path, "http2", cluster.url).with_key())
        transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / "ready-0.sock"))
        async with httpx.AsyncClient(transport=transport, base_url="http://worker") as worker:
            assert await controls(worker, lambda text: text == "ok") == {"store": "ok", "masters": "ok"}
            gone = cluster.masters[1]
            gone.kill()
            told = await controls(worker, lambda text: text not in ("ok", "not looked at yet"))
    assert told["store"] == "ok"
    assert told["masters"].startswith(f"{gone.address} holds ")
    assert " of 64 partitions: " in told["masters"]


async def controls(worker: httpx.AsyncClient, is_so: Callable[[str], bool]) -> dict[str, str]:
    """What the worker says of its store, once that is so of its masters."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                told = (await worker.get("/readyz")).json()["controls"]
            except httpx.TransportError:  # it is yet to listen
                continue
            if is_so(told["masters"]):
                return {name: told[name] for name in ("store", "masters")}
            await asyncio.sleep(0.05)
