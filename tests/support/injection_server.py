"""The webhook that gives pods their gateway, as a process with the files that the chart gives it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography.x509 import IPAddress

from aegis_authz.local.tcp_ports import choose_ports
from tests.support.authority import Authority

_SETTINGS = "settings.yaml"


@dataclass(frozen=True, slots=True)
class InjectionServer:
    """Where it is, and what it is verified by."""

    url: str
    authorities: Path


@asynccontextmanager
async def injection_server(folder: Path, files: Mapping[str, str]) -> AsyncIterator[InjectionServer]:
    """It runs while the block does. `files` are those of the chart's ConfigMap; where its own are is `folder`."""
    authority = Authority(folder)
    pair = authority.leaf("tls.crt", IPAddress(ip_address("127.0.0.1")))
    pair.chmod(0o600)
    (folder / "tls.key").hardlink_to(pair)
    port = choose_ports({"injection": 0}, {})["injection"]
    own = (("/run/secrets/webhook", str(folder)), ("/etc/aegis", str(folder)), ("0.0.0.0:8443", f"127.0.0.1:{port}"))
    for name, text in files.items():
        for place, place_here in own if name == _SETTINGS else ():
            text = text.replace(place, place_here)
        (folder / name).write_text(text, "utf-8")
    command = [sys.executable, "-m", "aegis_authz.cli", "serve", "injection", "--config", str(folder / _SETTINGS)]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        yield InjectionServer(f"https://127.0.0.1:{port}", authority.file)
    finally:
        process.terminate()
        await process.wait()
