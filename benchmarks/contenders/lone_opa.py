"""An OPA by itself, with the bundle that documents come to, tuned as a mesh tunes its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson

from aegis_authz.adapters.files.sources import read_sources
from aegis_authz.adapters.opa.http import OpaHttp, OpaUnreachable
from aegis_authz.local.servers import find_opa
from aegis_authz.policy.bundle.library import rego_library
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.load import load
from benchmarks.measure.processes import process, until_ready

_NOBODY = trust_to_data("a", "a", [], [], 300, 0)  # calls without tokens


@asynccontextmanager
async def lone_opa(folder: Path) -> AsyncIterator[tuple[Path, int]]:
    """An OPA with the documents in `policies` and `tools` of a folder: its socket and pid.

    Raises ServerMissing, OSError, PolicyErrors.
    """
    loaded = load(*[read_sources(folder / name) for name in ("policies", "tools")])
    compiled = compile_policy(loaded.compiled, loaded.tools, _NOBODY, "")
    bundle, socket = folder / "bundle", folder / "opa.sock"
    bundle.mkdir()
    (bundle / "data.json").write_bytes(orjson.dumps(compiled.data))
    (bundle / ".manifest").write_bytes(orjson.dumps({"revision": compiled.revision, "roots": ["aegis"]}))
    for name, text in rego_library().items():
        (bundle / Path(name).name).write_text(text, "utf-8")
    options = ("--addr", f"unix://{socket}", "--log-level", "error", "--disable-telemetry", "--bundle", str(bundle))
    tuning = {"GOGC": "800", "GOMAXPROCS": "1"}
    async with process((str(find_opa()), "run", "--server", *options), folder / "log", tuning) as pid:
        http = OpaHttp(socket)
        await until_ready(lambda: _require_bundle(http), OpaUnreachable)
        await http.close()
        yield socket, pid


async def _require_bundle(http: OpaHttp) -> None:
    status = (await http.get("/health?bundles"))[0]
    if status != 200:
        raise OpaUnreachable(f"OPA has no bundle yet: status {status}")
