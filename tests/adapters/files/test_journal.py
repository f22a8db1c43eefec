from __future__ import annotations

import asyncio
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.adapters.files.journal import FileJournal
from aegis_authz.core.issuance import Issuance
from aegis_authz.core.units import Epoch
from aegis_authz.ports.control_plane import JournalFault

LINE = Issuance(Epoch(5.0), "client_credentials", "127.0.0.1", "a/b/c", "", "", "j", Epoch(9.0), "", "", "", "", "")


async def test_each_line_says_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "issued.jsonl"
    await FileJournal(path).write(LINE)
    await FileJournal(path).write(replace(LINE, error="rate", detail="é\n"))
    first, second = (json.loads(line) for line in path.read_text("ascii").splitlines())
    assert first == {
        "time": 5.0,
        "grant": "client_credentials",
        "source": "127.0.0.1",
        "agent": "a/b/c",
        "jti": "j",
        "expires_at": 9.0,
    }
    assert (second["error"], second["detail"]) == ("rate", "é\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_lines_that_are_written_at_once_do_not_mix(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "issued.jsonl")
    await asyncio.gather(*(journal.write(replace(LINE, jti=str(number))) for number in range(20)))
    lines = [json.loads(line)["jti"] for line in (tmp_path / "issued.jsonl").read_text().splitlines()]
    assert sorted(lines, key=int) == [str(number) for number in range(20)]


async def test_a_journal_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalFault, match="No such file"):
        await FileJournal(tmp_path / "nowhere" / "issued.jsonl").write(LINE)
