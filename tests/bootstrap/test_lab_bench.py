"""The bench of documents: it decides, and lasts no longer than it may."""

from __future__ import annotations

import asyncio
import time
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


class Later:
    """A clock, so many seconds on."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def monotonic(self) -> float:
        """The time of then."""
        return time.monotonic() + self._seconds


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
    with pytest.raises(LabError, match="not played to their end in time"):
        module._settled(tmp_path / "r.sock", time.monotonic() + 0.01, [], [], None)  # type: ignore[arg-type]  # unread


@pytest.mark.usefixtures("no_end", "redis_binary")
def test_sequences_have_what_the_time_of_all_tests_has_left(
    loaded: Loaded, opa_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LabError, match="in time"), lab_bench(loaded, True, Seconds(3600.0)) as bench:
        monkeypatch.setattr(module, "time", Later(3600.0))
        bench.play([])
