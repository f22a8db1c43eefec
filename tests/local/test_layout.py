from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.local.layout import discard_leftovers, open_layout


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "mesh"
    discard_leftovers(tmp_path / "mesh")


def test_both_folders_are_for_their_owner_alone(state: Path) -> None:
    layout = open_layout(state)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (layout.state, layout.run, layout.folder("redis"))] == [
        0o700
    ] * 3


def test_git_takes_nothing_of_the_state_and_what_somebody_wrote_there_stays(state: Path) -> None:
    open_layout(state)
    assert (state / ".gitignore").read_text("utf-8").splitlines()[-1] == "*"
    (state / ".gitignore").write_text("!records\n", "utf-8")
    discard_leftovers(state)
    open_layout(state)
    assert (state / ".gitignore").read_text("utf-8") == "!records\n"


def test_sockets_fit_their_address_wherever_temporary_files_are(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    layout = open_layout(state)
    assert len(str(layout.socket("authz-63"))) <= 100
    assert list(deep.iterdir()) == []


def test_what_a_killed_mesh_left_is_removed_and_its_state_stays(state: Path) -> None:
    layout = open_layout(state)
    layout.facts.write_text("{}")
    (layout.folder("keys") / "issuer.pem").write_text("key")
    discard_leftovers(state)
    assert not layout.run.exists()
    assert not layout.facts.exists()
    assert (layout.keys / "issuer.pem").read_text() == "key"
    discard_leftovers(state)


def test_a_folder_of_sockets_that_became_another_meshes_is_left_alone(state: Path, tmp_path: Path) -> None:
    ours, theirs = open_layout(state), open_layout(tmp_path / "other")
    (ours.state / "run").write_text(str(theirs.run))
    discard_leftovers(state)
    assert theirs.run.is_dir()
    (ours.state / "run").write_text(str(ours.run))
    discard_leftovers(state)
    discard_leftovers(tmp_path / "other")
    assert not ours.run.exists()
    assert not theirs.run.exists()


def test_a_note_that_names_any_other_folder_removes_nothing(state: Path, tmp_path: Path) -> None:
    layout = open_layout(state)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "mesh").write_text(str(layout.state))
    (state / "run").write_text(str(tmp_path / "precious"))
    discard_leftovers(state)
    assert (tmp_path / "precious" / "mesh").exists()
    (state / "run").write_text(str(layout.run))
