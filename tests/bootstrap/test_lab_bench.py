"""The bench of documents: it decides, and lasts no longer than it may."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aegis_authz.bootstrap import lab_bench as module
from aegis_authz.bootstrap.lab_bench import lab_bench
from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.core.units import Seconds
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.opa import LabError
from aegis_authz.policy.load import Loaded, load

POLICY = "agent: bot\nallowed_tools:\n  - {name: bank, actions: [look]}\n"
TOOL = "tool: bank\nhost: bank.example\nupstream: http://127.0.0.1:9001\nactions:\n  look: {match: GET /accounts}\n"
LOOK = TriedCall.model_validate({"agent": "acme/emea/bot", "tool": "bank", "action": "look"})


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load({"p.yaml": POLICY}, {"t.yaml": TOOL})


@pytest.fixture
def no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sequences whose playing never ends."""

    async def play(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "played", play)


def test_documents_on_it_decide(loaded: Loaded, opa_binary: Path) -> None:
    with lab_bench(loaded, plays_sequences=False, patience=Seconds(60.0)) as bench:
        (decision,) = bench.decide([LOOK])
    assert isinstance(decision, Decision)
    assert decision.effect is Effect.ALLOW


def test_an_opa_that_takes_longer_than_it_may_is_ended(loaded: Loaded, opa_binary: Path) -> None:
    with pytest.raises(LabError), lab_bench(loaded, plays_sequences=False, patience=Seconds(0.0)) as bench:
        bench.decide([LOOK])


@pytest.mark.usefixtures("no_end")
def test_sequences_that_take_longer_than_they_may_are_broken_off(tmp_path: Path, loaded: Loaded) -> None:
    with pytest.raises(LabError, match=r"not played within 0\.01 seconds"):
        module._settled(tmp_path / "r.sock", Seconds(0.01), [], [], None)  # type: ignore[arg-type]  # nobody reads it
