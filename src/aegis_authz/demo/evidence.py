"""The scenario's last chapter: the records of the run, verified, then spoiled by one byte."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import CommandFailed, DemoMesh
from aegis_authz.demo.scenario import Row

_EFFECT = b'"effect":"'


async def evidence(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """The records of the run are intact; one flipped byte is found and named."""
    started = time.perf_counter()
    key = mesh.state / "keys" / "records.pub.json"
    intact = await _verify(mesh, str(mesh.state / "records"), str(key))
    verified = time.perf_counter()

    spoiled = mesh.folder / "spoiled"
    shutil.copytree(mesh.state / "records", spoiled)
    number = spoil_first_effect(min(spoiled.glob("*/0*.jsonl")))
    verdict = await _verify(mesh, str(spoiled), str(key))
    ended = time.perf_counter()
    names_record = re.search(rf"\brecord {number}\b", verdict[1]) is not None
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


def spoil_first_effect(log: Path) -> int:
    """Flip one bit of the first decision's effect in a writer's first file; returns that record's number, from 1.

    The first record need not be a decision: a worker may record what became of another's call before it decides one.
    """
    data = bytearray(log.read_bytes())
    at = data.index(_EFFECT) + len(_EFFECT)
    data[at] ^= 1
    log.write_bytes(bytes(data))
    return data.count(b"\n", 0, at) + 1


async def _verify(mesh: DemoMesh, folder: str, key: str) -> tuple[bool, str]:
    try:
        return True, await mesh.aegis("audit", "verify", folder, "--key", key)
    except CommandFailed as damage:
        return False, str(damage)


def _row(call: str, expected: str, answer: str, ok: bool, seconds: float) -> Row:
    return Row("evidence", call, expected, answer, "", seconds * 1000, "", ok)
