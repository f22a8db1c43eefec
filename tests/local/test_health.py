from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.local import health
from aegis_authz.local.health import look_at

NAMES = ("redis", "control", "opa", "authz-0", "envoy")


@pytest.fixture
def facts() -> Iterator[dict[str, Any]]:
    run = tempfile.mkdtemp(prefix="aegis-test-")
    yield {
        "proxy": "http://127.0.0.1:1",
        "control": "http://127.0.0.1:2",
        "authz": [f"unix:{run}/authz-0.sock"],
        "opa": f"unix://{run}/opa.sock",
        "redis": f"unix://{run}/redis.sock",
        "run": run,
        "processes": [
            {"name": name, "state": "ready", "pid": 7, "restarts": 0, "since": 1.0, "why": ""} for name in NAMES
        ],
    }
    shutil.rmtree(run)


async def test_what_the_supervisor_thinks_is_ready_is_asked_itself(facts: dict[str, Any]) -> None:
    healths = await look_at(facts)
    assert [one.name for one in healths] == list(NAMES)
    assert {one.state for one in healths} == {"not ready"}
    assert all(one.trouble.startswith("does not answer: ") for one in healths)


async def test_what_died_tells_how(facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def ready() -> str:
        return ""

    monkeypatch.setattr(health, "mesh_checks", lambda *_: dict.fromkeys(NAMES, ready))
    facts["processes"][2] |= {"state": "waiting", "pid": None, "why": "was ended by SIGKILL"}
    opa = (await look_at(facts))[2]
    assert (opa.state, opa.trouble, opa.pid) == ("waiting", "was ended by SIGKILL", None)
    facts["processes"][2] |= {"state": "starting", "why": ""}
    assert (await look_at(facts))[2].trouble == "starting"


async def test_each_process_names_its_endpoint(facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def ready() -> str:
        return ""

    seen: list[tuple[Path, int, int]] = []

    def checks(run: Path, port: int, workers: int) -> dict[str, Any]:
        seen.append((run, port, workers))
        return dict.fromkeys(NAMES, ready)

    monkeypatch.setattr(health, "mesh_checks", checks)
    healths = await look_at(facts)
    assert not any(one.trouble for one in healths)
    assert seen == [(Path(facts["run"]), 2, 1)]
    assert {one.name: one.endpoint for one in healths} == {
        "redis": facts["redis"],
        "control": "http://127.0.0.1:2",
        "opa": facts["opa"],
        "authz-0": facts["authz"][0],
        "envoy": "http://127.0.0.1:1",
    }
