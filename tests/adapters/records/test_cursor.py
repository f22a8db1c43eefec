"""How far logs were delivered, and the lines behind that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis_authz.adapters.records.cursor import CursorInvalid, Place, ends, lines_behind, load_places, save_places
from aegis_authz.adapters.records.files import NoRecords
from tests.support.exported_records import lines, payment, write_log

TEN = tuple(payment(number) for number in range(10))


def seqs(folder: Path, places: dict[str, Place]) -> list[tuple[str, int]]:
    return [(placed.writer, json.loads(placed.line.raw)["seq"]) for placed in lines_behind(folder, places)]


def test_without_places_every_line_of_every_log_is_behind_them(tmp_path: Path) -> None:
    write_log(tmp_path, TEN[:2], "a")
    write_log(tmp_path, TEN[:1], "b")
    assert seqs(tmp_path, {}) == [("a", 1), ("a", 2), ("b", 1)]


def test_reading_goes_on_behind_each_place(tmp_path: Path) -> None:
    write_log(tmp_path, TEN[:5], "a")
    write_log(tmp_path, TEN[:5], "b")
    third = [placed for placed in lines_behind(tmp_path, {}) if placed.line.number == 3]
    places = {placed.writer: placed.place for placed in third}
    assert seqs(tmp_path, places) == [("a", 4), ("a", 5), ("b", 4), ("b", 5)]
    assert seqs(tmp_path, ends(tmp_path)) == []


def test_what_is_appended_and_later_files_are_behind_the_end(tmp_path: Path) -> None:
    path = write_log(tmp_path, TEN[:5], "a")
    places = ends(tmp_path)
    whole = lines(TEN, "a")
    with path.open("ab") as file:
        file.write(whole[5].raw)
    (path.parent / "00000002.jsonl").write_bytes(whole[6].raw)
    assert seqs(tmp_path, places) == [("a", 6), ("a", 7)]


def test_a_line_that_is_being_written_waits_for_its_end(tmp_path: Path) -> None:
    path = write_log(tmp_path, TEN[:2], "a")
    raw = path.read_bytes()
    path.write_bytes(raw[:-1])
    assert seqs(tmp_path, {}) == [("a", 1)]
    path.write_bytes(raw)
    assert seqs(tmp_path, {}) == [("a", 1), ("a", 2)]


def test_files_that_are_gone_are_passed_over(tmp_path: Path) -> None:
    path = write_log(tmp_path, TEN[:5], "a")
    places = ends(tmp_path)
    (path.parent / "00000002.jsonl").write_bytes(lines(TEN, "a")[5].raw)
    path.unlink()
    assert seqs(tmp_path, places) == [("a", 6)]


@pytest.mark.parametrize("kept", [1, 3])
def test_a_log_whose_tail_was_cut_off_is_read_again_rather_than_skipped(tmp_path: Path, kept: int) -> None:
    path = write_log(tmp_path, TEN[:5], "a")
    places = ends(tmp_path)
    others = lines((*TEN[:kept], *(payment(number) for number in range(100, 108))), "a")
    path.write_bytes(b"".join(line.raw for line in others))
    assert seqs(tmp_path, places) == [("a", number) for number in range(1, len(others) + 1)]


def test_a_cursor_is_kept_whole_and_read_back(tmp_path: Path) -> None:
    write_log(tmp_path / "records", TEN, "a")
    places, uses = ends(tmp_path / "records"), frozenset({("acme/emea/x", "ehr")})
    save_places(tmp_path / "cursor", places, uses)
    assert load_places(tmp_path / "cursor") == (places, [("acme/emea/x", "ehr")])
    assert load_places(tmp_path / "other") is None


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "7", '{"v":1}', '{"v":2,"writers":{},"uses":[]}', '{"v":1,"writers":{"a":{}},"uses":[]}',
        '{"v":1,"writers":{"a":{"file":"../x","offset":0,"lines":0,"tail":""}},"uses":[]}',
        '{"v":1,"writers":{"a":{"file":"00000001.jsonl","offset":-1,"lines":0,"tail":""}},"uses":[]}',
        '{"v":1,"writers":{"a":{"file":"00000001.jsonl","offset":true,"lines":0,"tail":""}},"uses":[]}',
        '{"v":1,"writers":{},"uses":[["a"]]}',
    ],
)  # fmt: skip
def test_what_is_no_cursor_is_named_and_not_written_over(tmp_path: Path, content: str) -> None:
    path = tmp_path / "cursor"
    path.write_text(content)
    with pytest.raises(CursorInvalid, match="cursor"):
        load_places(path)
    assert path.read_text() == content


def test_a_folder_without_logs_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoRecords):
        list(lines_behind(tmp_path, {}))
