from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis_authz.adapters.files import sources as source_folder
from aegis_authz.adapters.files.sources import SourceFolderError, read_sources, read_tests


def test_documents_are_found_by_suffix_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    for name in ("a.yaml", "team/b.yml", "c.json", "README.md", "d.yaml.bak"):
        (tmp_path / name).write_text(name)
    assert read_sources(tmp_path) == {"a.yaml": "a.yaml", "c.json": "c.json", "team/b.yml": "team/b.yml"}


def test_what_version_control_and_editors_keep_is_left_out(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.yaml").write_text("a")
    os.symlink("someone@host.1234", tmp_path / ".#b.yaml")
    assert read_sources(tmp_path) == {}


def test_a_mounted_config_map_is_read(tmp_path: Path) -> None:
    """As the kubelet lays it out: links to files below a link to a folder of the moment."""
    moment = tmp_path / "..2026_11_29_06_00_00.123"
    moment.mkdir()
    (moment / "a.yaml").write_text("a")
    os.symlink(moment.name, tmp_path / "..data")
    os.symlink("..data/a.yaml", tmp_path / "a.yaml")
    assert read_sources(tmp_path) == {"a.yaml": "a"}


@pytest.mark.parametrize("name", ["pay.binpb", "pay.protoset", "pay.pb", "pay.DESC", "pay_test.binpb"])
def test_descriptor_sets_are_read_as_base64(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x0a\xff")
    assert (read_sources(tmp_path), read_tests(tmp_path)) == ({name: "Cv8="}, {})


def test_a_suffix_may_be_written_in_capitals(tmp_path: Path) -> None:
    for name in ("a.YAML", "b.Yml", "c.JSON"):
        (tmp_path / name).write_text(name)
    assert sorted(read_sources(tmp_path)) == ["a.YAML", "b.Yml", "c.JSON"]


def _hidden(folder: Path) -> None:
    (folder / ".a.yaml").write_text("a")


def _below_hidden(folder: Path) -> None:
    (folder / ".team").mkdir()
    (folder / ".team" / "a.yaml").write_text("a")


def _hidden_by_two_dots(folder: Path) -> None:
    (folder / "..a.yaml").write_text("a")


def _below_two_dots_of_no_mount(folder: Path) -> None:
    (folder / "..old").mkdir()
    (folder / "..old" / "a.yaml").write_text("a")


def _named_with_a_space(folder: Path) -> None:
    (folder / "a.yaml ").write_text("a")


def _named_in_no_encoding(folder: Path) -> None:
    (folder / os.fsdecode(b"a\xff.yaml")).write_text("a")


def _named_over_two_lines(folder: Path) -> None:
    (folder / "a\n.yaml").write_text("a")


def _linked_out(folder: Path) -> None:
    os.symlink("/etc/hostname", folder / "a.yaml")


def _linked_nowhere(folder: Path) -> None:
    os.symlink("gone.yaml", folder / "a.yaml")


def _linked_folder(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real" / "a.yaml").write_text("a")
    os.symlink("real", folder / "team")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "a.yaml")


def _policy_among_tests(folder: Path) -> None:
    (folder / "a_test.yaml").write_text("org: acme\nagent: a\n")


def _tool_among_tests(folder: Path) -> None:
    (folder / "a_test.json").write_text('{"tool": "a"}')


@pytest.mark.parametrize(
    ("lay_out", "message"),
    [
        (_hidden, r"/\.a\.yaml: hidden"),
        (_below_hidden, r"/\.team/a\.yaml: hidden"),
        (_hidden_by_two_dots, r"/\.\.a\.yaml: hidden"),
        (_below_two_dots_of_no_mount, r"/\.\.old/a\.yaml: hidden"),
        (_named_with_a_space, r"/a\.yaml : its name holds characters that nobody sees"),
        (_named_in_no_encoding, r"/a\\udcff\.yaml': its name holds characters that nobody sees"),
        (_named_over_two_lines, r"/a\\n\.yaml': its name holds characters that nobody sees"),
        (_linked_out, r"/a\.yaml: a link that leads out of the folder"),
        (_linked_nowhere, r"/a\.yaml: a link that leads to nothing"),
        (_linked_folder, r"/team: a linked folder"),
        (_pipe, r"/a\.yaml: is no file"),
        (_policy_among_tests, r"/a_test\.yaml: holds no tests but a policy"),
        (_tool_among_tests, r"/a_test\.json: holds no tests but a policy"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_a_document_that_would_not_be_read_is_an_error(
    tmp_path: Path, lay_out: Callable[[Path], None], message: str
) -> None:
    lay_out(tmp_path)
    with pytest.raises(SourceFolderError, match=message):
        read_sources(tmp_path)


def test_tests_of_policies_are_no_documents(tmp_path: Path) -> None:
    (tmp_path / "a_test.yaml").write_text("tests:\n  - call: {agent: a/b/c, tool: t}\n")
    assert read_sources(tmp_path) == {}


def test_a_folder_may_be_named_as_a_document(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "folder.yaml" / "a.yaml").write_text("a")
    assert read_sources(tmp_path) == {"folder.yaml/a.yaml": "a"}


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
