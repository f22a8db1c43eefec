"""A sealed segment by itself, wherever it was brought: proven by its seal and the public key alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from aegis_authz.adapters.records.encrypted import EncryptedFile
from aegis_authz.adapters.records.segments import Segment
from aegis_authz.adapters.records.unread import SegmentDamaged, SegmentLocked
from aegis_authz.core.record import SealRecord
from aegis_authz.evidence.chain import Link, NotARecord, read_link, read_record
from aegis_authz.evidence.checkpoint import CheckpointInvalid, SignedByAnother
from aegis_authz.evidence.document import RecordInvalid
from aegis_authz.evidence.segment import SegmentCheck, verify_seal


class SegmentNotProven(Exception):
    """A segment is not as its seal says, or has none; the message says why."""


def prove_segment(segment: Segment, writer: str, keys: Sequence[bytes]) -> SealRecord:
    """The seal of a segment, which is that of `writer` and its number and as one of the raw public `keys` signed.

    Of an encrypted one whose key is not there it is what was signed when it was encrypted; where the key is there, its
    lines as well. What stands before and behind it is not looked at. Raises SegmentNotProven, OSError.
    """
    try:
        if not segment.is_encrypted:
            return _seal_of_lines(segment, writer, keys)
        seal = _seal_of_encrypted(segment, writer, keys)
        with suppress(SegmentLocked):
            return _seal_of_lines(segment, writer, keys)
        return seal
    except SegmentDamaged as fault:
        raise SegmentNotProven(str(fault)) from None


def _seal_of_lines(segment: Segment, writer: str, keys: Sequence[bytes]) -> SealRecord:
    check = SegmentCheck(writer)
    line, is_first = b"", True
    with segment.open() as file:
        for raw in file:
            if line:
                _enter(check, segment.number, line, is_first=is_first)
                check.add(line)
                is_first = False
            line = raw
    link, seal = _seal(line, writer)
    if problem := check.close(seal, link.seq, None):
        raise SegmentNotProven(problem)
    _require_signed(writer, seal, keys)
    return seal


def _seal_of_encrypted(segment: Segment, writer: str, keys: Sequence[bytes]) -> SealRecord:
    """The seal in the index of an encrypted segment, every byte of which is as it was signed."""
    file = EncryptedFile.at(segment.encrypted)
    if file.require_signed(keys) is None:
        raise SegmentNotProven("it was encrypted and signed with another key than those given")
    content = file.content
    link, seal = _seal(segment.last_line(), writer)
    extent = (content.writer, content.segment, content.first, content.last)
    if extent != (writer, segment.number, seal.first, link.seq) or seal.segment != segment.number:
        raise SegmentNotProven("it seals another segment than the one before it")
    _require_signed(writer, seal, keys)
    return seal


def _seal(line: bytes, writer: str) -> tuple[Link, SealRecord]:
    try:
        link, seal = read_link(line), read_record(line)
    except (NotARecord, RecordInvalid):
        raise SegmentNotProven("it does not end in a seal") from None
    if not isinstance(seal, SealRecord):
        raise SegmentNotProven("it does not end in a seal")
    if not link.is_whole or link.writer != writer:
        raise SegmentNotProven("its last line is not as its writer left it")
    return link, seal


def _enter(check: SegmentCheck, number: int, raw: bytes, *, is_first: bool) -> None:
    try:
        problem = check.enter(number, read_link(raw).seq if is_first else 0)
    except NotARecord:
        raise SegmentNotProven("its first line is no record") from None
    if problem:
        raise SegmentNotProven(problem)


def _require_signed(writer: str, seal: SealRecord, keys: Sequence[bytes]) -> None:
    for key in keys:
        try:
            verify_seal(writer, seal, key)
        except SignedByAnother:
            continue
        except CheckpointInvalid as fault:
            raise SegmentNotProven(f"its seal cannot be trusted: {fault}") from None
        return
    raise SegmentNotProven("another key than those given signed its seal")
