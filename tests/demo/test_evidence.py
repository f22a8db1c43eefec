"""One byte of the run's records is spoiled, and which record that was is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.demo.evidence import spoil_first_effect

OUTCOME = b'{"seq":1,"record":{"kind":"outcome","status":200}}\n'
DECISION = b'{"seq":2,"record":{"kind":"decision","effect":"allow"}}\n'


@pytest.mark.parametrize(("lines", "number"), [([DECISION], 1), ([OUTCOME, DECISION, DECISION], 2)])
def test_the_first_decision_is_spoiled_wherever_it_stands(tmp_path: Path, lines: list[bytes], number: int) -> None:
    log = tmp_path / "00000001.jsonl"
    log.write_bytes(b"".join(lines))

    assert spoil_first_effect(log) == number

    after = log.read_bytes().splitlines(keepends=True)
    assert [at for at, (new, old) in enumerate(zip(after, lines, strict=True), start=1) if new != old] == [number]
    assert after[number - 1] == DECISION.replace(b"allow", b"`llow")
