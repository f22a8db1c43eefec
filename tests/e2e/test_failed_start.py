"""A mesh that cannot start says why and leaves nothing running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from aegis_authz.local.mesh_facts import is_running


def test_an_invalid_policy_keeps_a_mesh_from_starting_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "tools").mkdir()
    (tmp_path / "agents" / "bad.yaml").write_text("agent: a\nallowed_tool: []\n")
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "aegis_authz.cli", "up", "--detach", "--dir", str(tmp_path / "m")),
            *("--policies", str(tmp_path / "agents"), "--tools", str(tmp_path / "tools")),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "bad.yaml:2:1" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not is_running(tmp_path / "m")
