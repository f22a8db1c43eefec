from __future__ import annotations

import hashlib
import json

import pytest

from aegis_authz.core.record import CutRecord, RedactionRecord
from aegis_authz.evidence.chain import (
    NotARecord,
    decision_id_in,
    encode_record,
    genesis,
    link,
    read_link,
    read_members,
    read_record,
    require_writer,
)

PREV = bytes(range(32))


def test_a_line_carries_the_chain_and_the_record_in_their_order() -> None:
    line, digest = link("authz-0", 7, PREV, b'{"v":1,"kind":"decision"}')
    assert line.endswith(b"\n")
    members = json.loads(line)
    assert list(members) == ["writer", "seq", "prev", "v", "kind", "hash"]
    assert members["seq"] == 7
    assert members["prev"] == PREV.hex()
    assert members["hash"] == digest.hex()


def test_the_hash_is_that_of_the_documented_bytes() -> None:
    line, digest = link("authz-0", 1, PREV, b'{"v":1}')
    covered = line[: line.rindex(b',"hash":')]
    assert digest == hashlib.sha256(b"aegis-record-v1\x00" + PREV + covered).digest()


def test_a_line_reads_back_whole() -> None:
    line, digest = link("authz-0", 3, PREV, b'{"v":1,"x":{"hash":"0"}}')
    found = read_link(line)
    assert (found.writer, found.seq, found.prev, found.stated) == ("authz-0", 3, PREV, digest)
    assert found.is_whole


def test_the_first_hash_is_bound_to_the_writer_and_to_the_key() -> None:
    starts = {genesis("a", bytes(32)), genesis("b", bytes(32)), genesis("a", bytes(31) + b"\x01")}
    assert len(starts) == 3


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"{}\n", b"not json\n", link("w", 1, PREV, b'{"v":1}')[0][:-1], link("w", 1, PREV, b'{"v":1}')[0] * 2],
    ids=["empty", "newline", "object", "text", "no newline", "twice"],
)
def test_what_is_not_a_line_is_told_apart(line: bytes) -> None:
    with pytest.raises(NotARecord):
        read_link(line)


def test_a_record_beyond_orjson_is_still_written() -> None:
    odd = RedactionRecord("\ud800", 1.0, "request", {"big": 2**70}, "done")
    line, _ = link("w", 1, PREV, encode_record(odd))
    assert read_link(line).is_whole
    assert read_record(line) == odd


def test_a_record_without_json_form_is_refused() -> None:
    with pytest.raises(ValueError, match="no JSON form"):
        encode_record(RedactionRecord("d-1", 1.0, "request", {"x": object()}, "done"))  # type: ignore[dict-item]


def test_a_line_without_its_place_in_the_chain_holds_no_record() -> None:
    with pytest.raises(NotARecord, match="without writer"):
        read_record(encode_record(CutRecord(1.0, 40, "x.torn")))


@pytest.mark.parametrize("line", [b"[]\n", b"\xff\n", b"{", b"[" * 100_000])
def test_members_of_something_else_are_refused(line: bytes) -> None:
    with pytest.raises(NotARecord):
        read_members(line)


def test_a_damaged_line_still_names_its_decision() -> None:
    assert decision_id_in(b'{"writer":"w\x00,"decision_id":"0190-a","ti') == "0190-a"
    assert decision_id_in(b"nothing") == ""


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "-a", "a+b", "é", "a" * 65, "a\n"])
def test_a_writer_that_is_no_plain_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="record writer"):
        require_writer(name)
