from __future__ import annotations

import os
from pathlib import Path

import pytest

from aegis_authz.adapters import source_folder
from aegis_authz.adapters.source_folder import SourceFolderError, read_sources


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


def test_line_endings_are_kept_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: 1\r\nb: 2\n")
    assert read_sources(tmp_path) == {"a.yaml": "a: 1\r\nb: 2\n"}


def test_what_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"agent: \xff")
    with pytest.raises(SourceFolderError, match=r"a\.yaml: not UTF-8 at byte 7"):
        read_sources(tmp_path)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceFolderError, match="no such folder"):
        read_sources(tmp_path / "nowhere")


def test_a_folder_without_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_folder, "MAX_TOTAL_BYTES", 10)
    (tmp_path / "a.yaml").write_text("a" * 11)
    with pytest.raises(SourceFolderError, match="more than 10 bytes"):
        read_sources(tmp_path)
