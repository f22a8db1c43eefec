"""The real Envoy as it is rendered, the real pipeline behind it, and two tools that keep what they get."""

from __future__ import annotations

import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from aegis_authz.config.proxy import InterceptionSettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.units import Epoch
from aegis_authz.intercept.authority import new_authority
from aegis_authz.policy.load import load
from tests.differential.judge import Judge, socket_in
from tests.differential.recorders import Recorder, naive_tool, strict_tool
from tests.proxy.conftest import Starter
from tests.proxy.test_real_envoy_https import certificates

STRICT, NAIVE = "strict.example", "simple.example"  # of one length: some requests count their bytes


@dataclass
class Gate:
    """All of it: where Envoy listens, what was judged, and what arrived at which host."""

    port: int
    judge: Judge
    tools: dict[str, Recorder]
    trusting: ssl.SSLContext


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def gate(envoy_binary: Path) -> AsyncIterator[Gate]:
    with tempfile.TemporaryDirectory(prefix="df-") as name:
        folder = Path(name)
        authority = new_authority(Epoch(time.time()))
        place = f"unix:{folder / 'sds.sock'}"
        async with strict_tool() as strict, naive_tool() as naive, certificates(place, authority):
            catalogue = _catalogue({STRICT: strict, NAIVE: naive})
            judge = Judge(socket_in(folder), catalogue)
            async with (
                judge.serving(),
                Starter(envoy_binary, folder).running(
                    "gate", catalogue, judge.place, interception=InterceptionSettings(certificates=place)
                ) as proxy,
            ):
                trusting = ssl.create_default_context(cadata=authority.certificate.decode())
                yield Gate(proxy.forward, judge, {STRICT: strict, NAIVE: naive}, trusting)


def _catalogue(tools: dict[str, Recorder]) -> Catalogue:
    texts: dict[str, str] = {}
    for host, tool in tools.items():
        name, upstream = host.partition(".")[0], f"http://127.0.0.1:{tool.port}"
        for file in ("tools", "ticker", "mcp"):
            entry: Any = yaml.safe_load((Path(__file__).parent / f"{file}.yaml").read_text("utf-8"))
            place = {"tool": name if file == "tools" else f"{name}-{file}", "host": host, "upstream": upstream}
            texts[f"{host}-{file}.yaml"] = yaml.safe_dump({**place, **entry})
    return Catalogue.of(load({}, texts).tools)


@pytest.fixture(scope="session")
def outcomes() -> dict[tuple[str, str], dict[str, str]]:
    """What became of each case (family and sentence) on each way, as the tests are played."""
    return {}
