"""The real OPA, polling a control plane under test."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from aegis_authz.adapters.files.keys import Keys, public_pem


class RealOpa:
    """The real OPA, polling a control plane and listening on a unix socket."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "opa.sock"
        transport = httpx.AsyncHTTPTransport(uds=str(self.socket))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://opa")

    async def revision(self) -> str | None:
        try:
            answer = await self.client.get("/v1/data/aegis/revision")
        except httpx.TransportError:
            return None
        result = answer.json().get("result")
        return result if isinstance(result, str) else None

    async def runs(self, revision: str, within: float) -> float:
        """Seconds until OPA serves the revision."""
        began = time.monotonic()
        async with asyncio.timeout(within):
            while await self.revision() != revision:  # OPA tells no one when it is ready
                await asyncio.sleep(0.005)
        return time.monotonic() - began


def opa_config(folder: Path, url: str, keys: Keys) -> Path:
    token = folder / "opa.token"
    token.write_text(keys.opa_token)
    config = {
        "labels": {"instance": "opa-1"},
        "services": {"control": {"url": url, "credentials": {"bearer": {"token_path": str(token)}}}},
        "keys": {"root": {"algorithm": "ES256", "key": public_pem(keys.root).decode()}},
        "discovery": {
            "service": "control",
            "resource": "bundles/opa.tar.gz",
            "decision": "opa",
            "persist": True,
            "signing": {"keyid": "root"},
            "polling": {"min_delay_seconds": 1, "max_delay_seconds": 1, "long_polling_timeout_seconds": 20},
        },
        "persistence_directory": str(folder / "persisted"),
    }
    path = folder / "opa.json"
    path.write_text(json.dumps(config))
    return path


@asynccontextmanager
async def running_opa(binary: Path, folder: Path, config: Path) -> AsyncIterator[RealOpa]:
    (folder / "opa.sock").unlink(missing_ok=True)
    with (folder / "opa.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(binary), "run", "--server", "--skip-version-check", "--addr", f"unix://{folder}/opa.sock"),
            *("--config-file", str(config)),
            stdout=log,
            stderr=log,
        )
    opa = RealOpa(folder)
    try:
        yield opa
    finally:
        await opa.client.aclose()
        process.terminate()
        await process.wait()
