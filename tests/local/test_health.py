from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.local import health
from aegis_authz.local.health import look_at
from aegis_authz.local.mesh_facts import MeshFacts
from tests.support.mesh_facts import made_facts, made_process

NAMES = ("redis", "control", "opa", "authz-0", "envoy")


@pytest.fixture
def facts() -> Iterator[MeshFacts]:
    run = Path(tempfile.mkdtemp(prefix="aegis-test-"))
    yield made_facts(run, processes=tuple(map(made_process, NAMES)))
    shutil.rmtree(run)


def with_opa(facts: MeshFacts, **changes: Any) -> MeshFacts:
    processes = [made_process(name, **changes) if name == "opa" else made_process(name) for name in NAMES]
    return replace(facts, processes=tuple(processes))


async def test_what_the_supervisor_thinks_is_ready_is_asked_itself(facts: MeshFacts) -> None:
    healths = await look_at(facts)
    assert [one.name for one in healths] == list(NAMES)
    assert {one.state for one in healths} == {"not ready"}
    assert all(one.trouble.startswith("does not answer: ") for one in healths)


async def test_what_died_tells_how(facts: MeshFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ready() -> str:
        return ""

    monkeypatch.setattr(health, "mesh_checks", lambda *_: dict.fromkeys(NAMES, ready))
    opa = (await look_at(with_opa(facts, state="waiting", pid=None, why="was ended by SIGKILL")))[2]
    assert (opa.state, opa.trouble, opa.pid) == ("waiting", "was ended by SIGKILL", None)
    assert (await look_at(with_opa(facts, state="starting")))[2].trouble == "starting"


async def test_each_process_names_its_endpoint(facts: MeshFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ready() -> str:
        return ""

    seen: list[tuple[Path, Path, int, int, int]] = []

    def checks(run: Path, xds: Path, port: int, workers: int, prometheus: int) -> dict[str, Any]:
        seen.append((run, xds, port, workers, prometheus))
        return dict.fromkeys(NAMES, ready)

    monkeypatch.setattr(health, "mesh_checks", checks)
    healths = await look_at(facts)
    assert not any(one.trouble for one in healths)
    assert seen == [(Path(facts.run), Path(facts.state) / "envoy" / "xds", 2, 1, 0)]
    assert {one.name: one.endpoint for one in healths} == {
        "redis": facts.redis,
        "control": "http://127.0.0.1:2",
        "opa": facts.opa,
        "authz-0": facts.authz[0],
        "envoy": "http://127.0.0.1:1",
    }
