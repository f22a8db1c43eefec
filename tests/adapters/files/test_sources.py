from __future__ import annotations

import os
from pathlib import Path

import pytest

from aegis_authz.adapters.files import sources as source_folder
from aegis_authz.adapters.files.sources import SourceFolderError, read_sources


def test_documents_are_found_by_suffix_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    for name in ("a.yaml", "team/b.yml", "c.json", "README.md", "d.yaml.bak"):
        (tmp_path / name).write_text(name)
    assert read_sources(tmp_path) == {"a.yaml": "a.yaml", "c.json": "c.json", "team/b.yml": "team/b.yml"}


def test_hidden_files_and_links_are_left_out(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.yaml").write_text("a")
    (tmp_path / ".#b.yaml").write_text("b")
    os.symlink("/etc/hostname", tmp_path / "c.yaml")
    assert read_sources(tmp_path) == {}


def test_tests_of_policies_are_no_documents(tmp_path: Path) -> None:
    (tmp_path / "a_test.yaml").write_text("tests: []")
    assert read_sources(tmp_path) == {}


def test_what_is_no_file_is_left_out_and_never_waited_for(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    assert read_sources(tmp_path) == {}


def test_line_endings_are_kept_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: 1\r\nb: 2\n")
    assert read_sources(tmp_path) == {"a.yaml": "a: 1\r\nb: 2\n"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"agent: \xff", r"a\.yaml: not UTF-8 at byte 7 \(line 1\); save it as UTF-8"),
        ("owner: x\nagent: é".encode("latin-1"), r"a\.yaml: not UTF-8 at byte 16 \(line 2\); save it as UTF-8"),
        ("agent: a".encode("utf-16"), r"a\.yaml: is UTF-16; save it as UTF-8"),
    ],
)
def test_what_is_not_utf8_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(SourceFolderError, match=said):
        read_sources(tmp_path)


def test_every_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.json", "c.yaml"):
        (tmp_path / name).write_bytes(b"\xff" if name != "b.json" else b"{}")
    with pytest.raises(SourceFolderError) as caught:
        read_sources(tmp_path)
    assert [line.split(": ")[0].rpartition("/")[2] for line in str(caught.value).splitlines()] == ["a.yaml", "c.yaml"]


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceFolderError, match="no such folder"):
        read_sources(tmp_path / "nowhere")


def test_a_folder_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_folder, "MAX_SOURCE_BYTES", 10)
    (tmp_path / "a.yaml").write_text("a" * 10)
    assert read_sources(tmp_path)
    (tmp_path / "b.yaml").write_text("a")
    with pytest.raises(SourceFolderError, match="more than 10 bytes"):
        read_sources(tmp_path)


def test_a_folder_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_folder, "MAX_FILES", 2)
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text("a")
    assert len(read_sources(tmp_path)) == 2
    (tmp_path / "c.yaml").write_text("a")
    with pytest.raises(SourceFolderError, match="or 2 files"):
        read_sources(tmp_path)


def test_of_a_file_without_end_no_more_is_read_than_is_allowed(tmp_path: Path) -> None:
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(1 << 40)  # sparse: takes no room on the disk, and would take all memory
    with pytest.raises(SourceFolderError, match="more than"):
        read_sources(tmp_path)
