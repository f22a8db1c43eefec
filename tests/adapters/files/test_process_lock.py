from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.adapters.files.process_lock import PlaceBusy, ProcessLock


def test_a_place_is_one_processes_until_it_gives_it_up(tmp_path: Path) -> None:
    path = tmp_path / "state" / "lock"
    first = ProcessLock(path, "the folder")
    with pytest.raises(PlaceBusy, match="another control plane is using the folder"):
        ProcessLock(path, "the folder")
    first.close()
    ProcessLock(path, "the folder").close()
    assert path.stat().st_mode & 0o777 == 0o600
