"""`python -m benchmarks.footprint`: what calls leave behind, in bytes: records on disk, keys in Redis, traffic with it.

Plays calls through a mesh of its own and writes benchmarks/out/footprint.json. Bytes do not depend on how fast or how
busy the machine is.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from aegis_authz.demo.mesh import DemoMesh, demo_mesh
from aegis_authz.demo.run import agent_of
from aegis_authz.local.documents import example_documents
from aegis_authz.local.mesh_facts import read_facts
from benchmarks.contenders.lone_mesh import parts
from benchmarks.measure.cpu import resident_mib

OUT = Path(__file__).parent / "out" / "footprint.json"
CALLS = 200
_AGENT, _URL = "finance-agent", "http://api.stripe.example/v1/payments/p-1"


class Footprint(BaseModel):
    """Bytes of one allowed call: `record` on disk, `key` for each of the `keys` it leaves in Redis until its token
    ends, `redis_traffic` both ways; and MiB resident of one process of each part.
    """

    model_config = ConfigDict(frozen=True)

    calls: int
    record: float
    key: float
    keys: float
    redis_traffic: float
    resident_mib: dict[str, float]


async def measure(mesh: DemoMesh, calls: int) -> Footprint:
    """Play so many calls and see what they left."""
    agent = agent_of(mesh)
    store = Redis.from_url(read_facts(mesh.state).redis)
    try:
        await agent.call(_AGENT, "GET", _URL)  # what the first call alone leaves does not count
        keys, size, traffic = await _keys(store), _size(mesh.state), await _traffic(store)
        for _ in range(calls):
            reply = await agent.call(_AGENT, "GET", _URL)
            if reply.decision != "allow":
                raise ValueError(f"a call was answered {reply.decision} ({reply.reason})")
        spoken = await _traffic(store) - traffic
        new = await _keys(store) - keys
        pids = {part: own[0] for part, own in parts(read_facts(mesh.state).pids).items()}
        resident = resident_mib(pids)
        sizes = [await store.memory_usage(key) or 0 for key in new]
        return Footprint(
            calls=calls,
            record=(_size(mesh.state) - size) / calls,
            key=mean(sizes),
            keys=len(new) / calls,
            redis_traffic=spoken / calls,
            resident_mib={part: round(mib, 1) for part, mib in resident.items()},
        )
    finally:
        await store.aclose()
        await agent.close()


async def _keys(store: Redis) -> frozenset[bytes]:
    return frozenset([key async for key in store.scan_iter(count=1000)])


async def _traffic(store: Redis) -> int:
    stats: dict[str, Any] = await store.info("stats")
    return int(stats["total_net_input_bytes"]) + int(stats["total_net_output_bytes"])


def _size(state: Path) -> int:
    return sum(path.stat().st_size for path in (state / "records").glob("authz-*/*.jsonl"))


async def _run() -> None:
    with tempfile.TemporaryDirectory(prefix="aegis-footprint-", dir="/tmp") as folder:  # short: sockets
        async with demo_mesh(Path(folder) / "mesh", example_documents()) as mesh:
            footprint = await measure(mesh, CALLS)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(footprint.model_dump_json(indent=2) + "\n")
    print(footprint.model_dump_json(indent=2))  # noqa: T201  # its answer


if __name__ == "__main__":
    asyncio.run(_run())
