"""The type checker tells the two clocks and the kinds of ids apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

SOURCE = str(Path(__file__).parents[2] / "src")
HEAD = """\
from aegis_authz.core.units import Digest, Epoch, Monotonic, Revision, Seconds
class Clock:
    def now(self) -> Epoch: return Epoch(1.0)
    def monotonic(self) -> Monotonic: return Monotonic(1.0)
def settle(deadline: Monotonic, digest: Digest) -> None: ...
clock, digest, revision, life = Clock(), Digest("d"), Revision("r"), Seconds(5.0)
settle(Monotonic(clock.monotonic() + life), digest)
"""
WRONG = {
    "settle(clock.now(), digest)": '"Epoch"; expected "Monotonic"',
    "settle(clock.monotonic() + life, digest)": '"float"; expected "Monotonic"',
    "settle(life, digest)": '"Seconds"; expected "Monotonic"',
    "settle(clock.monotonic(), revision)": '"Revision"; expected "Digest"',
}


def test_what_is_of_another_kind_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYPYPATH", SOURCE)
    probe = tmp_path / "probe.py"
    probe.write_text(HEAD + "".join(f"{statement}\n" for statement in WRONG))
    found, faults, _ = api.run(["--strict", f"--cache-dir={tmp_path / 'cache'}", "--no-error-summary", str(probe)])
    assert faults == ""
    lines = found.splitlines()
    assert len(lines) == len(WRONG)
    for number, (line, expected) in enumerate(zip(lines, WRONG.values(), strict=True), HEAD.count("\n") + 1):
        assert f"probe.py:{number}: error:" in line
        assert expected in line
