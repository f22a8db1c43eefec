"""What mesh.json could say of a mesh, for tests that have none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from aegis_authz.local.mesh_facts import MeshFacts, ProcessFacts


def made_facts(folder: Path, **changes: Any) -> MeshFacts:
    """The facts of a mesh in `folder` that nobody answers for, with these changes."""
    facts = MeshFacts(
        proxy="http://127.0.0.1:1",
        reverse="http://127.0.0.1:3",
        workload={},
        control="http://127.0.0.1:2",
        evaluation="http://127.0.0.1:7",
        metrics="http://127.0.0.1:4/metrics",
        prometheus="",
        authz=(f"unix:{folder}/authz-0.sock",),
        opa=f"unix://{folder}/opa.sock",
        redis=f"unix://{folder}/redis.sock",
        probe="http://127.0.0.1:5",
        state=str(folder),
        run=str(folder),
        policies=str(folder / "policies"),
        tools=str(folder / "tools"),
        environment="test",
        started=1.0,
        supervisor=6,
        processes=(),
    )
    return replace(facts, **changes)


def made_process(name: str, **changes: Any) -> ProcessFacts:
    """A process that is ready, with these changes."""
    return replace(ProcessFacts(name, "ready", 7, 0, 1.0, ""), **changes)
