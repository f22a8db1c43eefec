"""The process that serves certificates: there with a key, not without, and it ends in order."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from aegis_authz.adapters.files.authority_folder import SIGNING
from aegis_authz.core.units import Epoch
from aegis_authz.intercept.authority import new_authority

PATIENCE = 30.0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    settings = {
        "listen": f"unix:{tmp_path}/sds.sock",
        "authority": str(tmp_path / "ca"),
        "listen_mode": "0660",
        "ready_socket": f"{tmp_path}/ready.sock",
    }
    place = tmp_path / "certificates.yaml"
    place.write_text(yaml.safe_dump(settings))
    (tmp_path / "ca").mkdir()
    return place


def start(config: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-P", "-m", "aegis_authz.cli", "serve", "certificates", "--config", str(config)]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


def ready(path: Path) -> str:
    """The answer of GET /readyz, "" where nobody answers."""
    with socket.socket(socket.AF_UNIX) as peer:
        try:
            peer.connect(str(path))
        except OSError:
            return ""
        peer.sendall(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        return b"".join(iter(lambda: peer.recv(4096), b"")).decode()


def wait_for(path: Path, status: str) -> str:
    end = time.monotonic() + PATIENCE
    while f" {status} " not in (answer := ready(path)):
        assert time.monotonic() < end, answer
    return answer


def test_it_serves_while_there_is_a_key_and_says_when_there_is_none(config: Path, tmp_path: Path) -> None:
    key = tmp_path / "ca" / SIGNING
    key.touch(0o600)
    key.write_bytes(new_authority(Epoch(time.time())).to_pem())
    process = start(config)
    try:
        wait_for(tmp_path / "ready.sock", "200")
        assert (tmp_path / "sds.sock").stat().st_mode & 0o777 == 0o660
        key.unlink()
        assert "signing.pem" in wait_for(tmp_path / "ready.sock", "503")
    finally:
        process.send_signal(signal.SIGTERM)
        _, complained = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, complained


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:7443", "[::]:7443", "192.0.2.1:7443", "certs.example:7443", "localhost:7443"]
)
def test_where_others_could_ask_it_does_not_start(config: Path, listen: str) -> None:
    settings = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**settings, "listen": listen}))
    process = start(config)
    _, complained = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "can be reached by others" in complained


def test_without_a_key_it_does_not_start(config: Path) -> None:
    process = start(config)
    _, complained = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "signing.pem: no such file; an authority is made once, by: aegis init" in complained
