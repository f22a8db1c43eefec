"""The lines of a record log: each holds one record and the hash that chains it to the one before.

A line is one JSON object on one line, ended by a newline::

    {"writer":W,"seq":N,"prev":P,<the record's members>,"hash":H}

`H` is the SHA-256 of a domain prefix, the raw bytes of `prev`, and the exact bytes of the line before
`,"hash":`, so that changing any byte of a line is seen. `prev` is the `hash` of the line before; that of
the first line is bound to the writer's name and to the key that signs its checkpoints. `seq` counts
from 1 without a gap, across files and restarts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import orjson

from aegis_authz.core.json_value import Json
from aegis_authz.core.record import Record
from aegis_authz.evidence.document import record_from_json, record_to_json

_LINK = b"aegis-record-v1\x00"
_GENESIS = b"aegis-record-genesis-v1\x00"
_WRITER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LINE = re.compile(
    rb'(?P<covered>\{"writer":"(?P<writer>[A-Za-z0-9._-]+)","seq":(?P<seq>[1-9][0-9]{0,17}),"prev":"(?P<prev>[0-9a-f]{64})",'
    rb'.+),"hash":"(?P<hash>[0-9a-f]{64})"\}\n'
)
_CHAIN = ("writer", "seq", "prev", "hash")
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_DECISION_ID = re.compile(rb'"decision_id":"([^"\\]{1,64})"')


class NotARecord(ValueError):
    """The bytes are not a line of a record log."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a line says of its place in the chain. `computed` is the hash that its bytes really have."""

    writer: str
    seq: int
    prev: bytes
    stated: bytes
    computed: bytes

    @property
    def is_whole(self) -> bool:
        """Whether the line's bytes match the hash it carries."""
        return self.stated == self.computed


def require_writer(name: str) -> str:
    """The name itself. Raises ValueError unless it is fit for paths, notes and JSON alike."""
    if _WRITER.fullmatch(name) is None:
        raise ValueError(f"a record writer is named by letters, digits, '.', '_' and '-', not {name!r}")
    return name


def genesis(writer: str, public_key: bytes) -> bytes:
    """The 32 bytes that stand before the first line of `writer`, whose checkpoints `public_key` (raw) verifies."""
    return hashlib.sha256(_GENESIS + writer.encode("ascii") + b"\x00" + public_key).digest()


def encode_record(record: Record) -> bytes:
    """The record as JSON bytes, its members in their order.

    Raises ValueError for a value that has no JSON form. What orjson refuses (integers beyond 64 bits, lone
    surrogates) is written in ASCII by the standard library, so that no call escapes its record.
    """
    members = record_to_json(record)
    try:
        return orjson.dumps(members)
    except orjson.JSONEncodeError:
        try:
            return json.dumps(members, separators=(",", ":"), allow_nan=False).encode("ascii")
        except (TypeError, RecursionError) as fault:
            raise ValueError("the record has no JSON form") from fault


def link(writer: str, seq: int, prev: bytes, record: bytes) -> tuple[bytes, bytes]:
    """Chain `record` (from `encode_record`) behind `prev`. Returns the line and its hash, which is the next `prev`."""
    covered = f'{{"writer":"{writer}","seq":{seq},"prev":"{prev.hex()}",'.encode("ascii") + record[1:-1]
    digest = hashlib.sha256(_LINK + prev + covered).digest()
    return covered + f',"hash":"{digest.hex()}"}}\n'.encode("ascii"), digest


def read_link(line: bytes) -> Link:
    """Take a line, with its newline, apart. Raises NotARecord when it has not the form of a line."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise NotARecord("not a line of a record log")
    prev = bytes.fromhex(match["prev"].decode("ascii"))
    return Link(
        writer=match["writer"].decode("ascii"),
        seq=int(match["seq"]),
        prev=prev,
        stated=bytes.fromhex(match["hash"].decode("ascii")),
        computed=hashlib.sha256(_LINK + prev + match["covered"]).digest(),
    )


def read_members(line: bytes) -> Mapping[str, Json]:
    """All members of a line, those of the chain included. Raises NotARecord when it is not a JSON object."""
    try:
        # orjson would make a float of an integer beyond 64 bits
        value = json.loads(line) if _LONG_NUMBER.search(line) else orjson.loads(line)
    except (ValueError, RecursionError):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as fault:
            raise NotARecord("not JSON") from fault
    if not isinstance(value, dict):
        raise NotARecord("not a JSON object")
    return cast(Mapping[str, Json], value)


def read_record(line: bytes) -> Record:
    """The record that a line holds.

    Raises NotARecord for what is no line, RecordInvalid for a record not known here.
    """
    members = dict(read_members(line))
    for name in _CHAIN:
        if name not in members:
            raise NotARecord(f"a line without {name}")
        del members[name]
    return record_from_json(members)


def decision_id_in(line: bytes) -> str:
    """The decision id that a line, however damaged, still shows; "" when it shows none."""
    match = _DECISION_ID.search(line)
    return match[1].decode("utf-8", "replace") if match is not None else ""
