"""Whether the memory of limits was ever begun."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.adapters.files.first_start import FileFirstStart


def test_a_start_is_the_first_until_it_is_marked(tmp_path: Path) -> None:
    start = FileFirstStart(tmp_path / "limits-begun")
    assert start.is_first()
    start.mark()
    assert not FileFirstStart(tmp_path / "limits-begun").is_first()
