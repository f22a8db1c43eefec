from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from aegis_authz.local.mesh_facts import (
    MeshNotRunning,
    MeshRunning,
    facts_to_json,
    is_running,
    left_facts,
    lock_holder,
    read_facts,
    take_lock,
    write_facts,
)
from tests.support.mesh_facts import made_facts, made_process


def test_facts_are_read_back_and_for_their_owner_alone(tmp_path: Path) -> None:
    lock = take_lock(tmp_path / "lock")
    facts = made_facts(tmp_path, processes=(made_process("opa"), made_process("envoy", pid=None, state="waiting")))
    write_facts(tmp_path / "mesh.json", facts)
    assert read_facts(tmp_path) == facts
    assert facts.pids == {"opa": 7}
    assert stat.S_IMODE((tmp_path / "mesh.json").stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "mesh.json"}
    os.close(lock)


def test_the_facts_of_a_mesh_that_is_gone_are_not_believed(tmp_path: Path) -> None:
    os.close(take_lock(tmp_path / "lock"))
    write_facts(tmp_path / "mesh.json", made_facts(tmp_path))
    with pytest.raises(MeshNotRunning, match="aegis up --detach --dir"):
        read_facts(tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"proxy": 1}, {"supervisor": "6"}, {"authz": "unix:/x"}, {"extra": ""}, {"processes": [{"name": "opa"}]}],
    ids=str,
)
def test_facts_of_another_shape_are_not_believed(tmp_path: Path, change: dict[str, object]) -> None:
    (tmp_path / "mesh.json").write_text(json.dumps({**facts_to_json(made_facts(tmp_path)), **change}))
    with pytest.raises(MeshNotRunning, match=r"mesh\.json cannot be read"):
        left_facts(tmp_path)


def test_a_mesh_without_facts_is_still_starting(tmp_path: Path) -> None:
    lock = take_lock(tmp_path / "lock")
    with pytest.raises(MeshNotRunning, match="still starting"):
        read_facts(tmp_path)
    os.close(lock)


def test_a_folder_that_never_was_has_no_mesh(tmp_path: Path) -> None:
    assert not is_running(tmp_path / "nowhere")
    with pytest.raises(MeshNotRunning):
        read_facts(tmp_path / "nowhere")


def test_a_second_mesh_in_the_folder_is_refused_and_told_how_to_stop_the_first(tmp_path: Path) -> None:
    lock = take_lock(tmp_path / "lock")
    with pytest.raises(MeshRunning, match=f"aegis down --dir {tmp_path}"):
        take_lock(tmp_path / "lock")
    assert lock_holder(tmp_path) == os.getpid()
    os.close(lock)
    assert lock_holder(tmp_path) is None
    os.close(take_lock(tmp_path / "lock"))


def test_those_who_only_look_never_keep_a_mesh_from_starting(tmp_path: Path) -> None:
    os.close(take_lock(tmp_path / "lock"))
    enough = threading.Event()

    def look() -> None:
        while not enough.is_set():
            is_running(tmp_path)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(50):
            os.close(take_lock(tmp_path / "lock"))
    finally:
        enough.set()
        watcher.join()


def test_the_lock_is_not_handed_to_the_processes_of_the_mesh(tmp_path: Path) -> None:
    lock = take_lock(tmp_path / "lock")
    assert not os.get_inheritable(lock)
    os.close(lock)
