"""The scenario's last chapter: the records of the run, verified, then spoiled by one byte."""

from __future__ import annotations

import shutil
import time

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import CommandFailed, DemoMesh
from aegis_authz.demo.scenario import Row


async def evidence(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """The records of the run are intact; one flipped byte is found and named."""
    started = time.perf_counter()
    key = mesh.state / "keys" / "records.pub.json"
    intact = await _verify(mesh, str(mesh.state / "records"), str(key))
    verified = time.perf_counter()

    spoiled = mesh.folder / "spoiled"
    shutil.copytree(mesh.state / "records", spoiled)
    victim = min(spoiled.glob("*/0*.jsonl"))
    data = bytearray(victim.read_bytes())
    at = data.index(b'"effect":"') + len(b'"effect":"')
    data[at] ^= 1
    victim.write_bytes(bytes(data))
    verdict = await _verify(mesh, str(spoiled), str(key))
    ended = time.perf_counter()
    names_record = "record 1" in verdict[1]
    return [
        _row("aegis audit verify", "intact", "intact" if intact[0] else "damaged", intact[0], verified - started),
        _row(
            "the same with one flipped byte",
            "damage found",
            "damage found" if not verdict[0] else "missed",
            not verdict[0] and names_record,
            ended - verified,
        ),
    ]


async def _verify(mesh: DemoMesh, folder: str, key: str) -> tuple[bool, str]:
    try:
        return True, await mesh.aegis("audit", "verify", folder, "--key", key)
    except CommandFailed as damage:
        return False, str(damage)


def _row(call: str, expected: str, answer: str, ok: bool, seconds: float) -> Row:
    return Row("evidence", call, expected, answer, "", seconds * 1000, "", ok)
