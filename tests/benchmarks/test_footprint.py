"""What a call leaves behind is measured on a mesh of the tests' own."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.demo.mesh import demo_mesh
from aegis_authz.local.documents import example_documents
from benchmarks.footprint import measure


@pytest.mark.slow
async def test_each_allowed_call_leaves_a_record_and_one_key(tmp_path: Path) -> None:
    async with demo_mesh(tmp_path / "mesh", example_documents()) as mesh:
        footprint = await measure(mesh, 20)
    assert footprint.keys == pytest.approx(1, abs=0.2)
    assert footprint.record > 500
    assert footprint.key > 50
    assert footprint.redis_traffic > 100
    assert {"authz", "opa", "redis"} <= set(footprint.resident_mib)
