"""An encrypted segment is verified: by what was signed of it, and by its lines too where its key is there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from aegis_authz.adapters.records.encrypted import EncryptedFile
from aegis_authz.adapters.records.segments import Segment
from aegis_authz.adapters.records.unread import SegmentDamaged, SegmentLocked
from aegis_authz.evidence.chain import NotARecord
from aegis_authz.evidence.encryption import EncryptionInvalid, IndexEntry, index_entries, index_line
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.evidence.verify import LogCheck


def check_encrypted(segment: Segment, label: str, check: LogCheck, keys: Sequence[bytes]) -> str:
    """Have `check` take the segment, under the raw public `keys`; `label` names its file. Raises OSError.

    Returns why its bodies were not read, "" where they were. Their order, number and hashes are proven all the same.
    """
    try:
        file = EncryptedFile.at(segment.encrypted)
        signer = file.require_signed(keys)
    except SegmentDamaged as fault:
        check.add_damage(label, str(fault))
        return ""
    content = file.content
    if (content.writer, content.segment) != (segment.folder.name, segment.number):
        check.add_damage(label, f"it is segment {content.segment} of {content.writer}, encrypted")
    if signer is None and not check.is_foreign:
        check.add_damage(label, "it was encrypted and signed with another key than those given")
    locked = ""
    try:
        entries = list(index_entries(content, file.index()))
        locked = _check_lines(segment, label, check, entries)
    except (EncryptionInvalid, SegmentDamaged) as fault:
        check.add_damage(label, str(fault))
    former = {key for _, key in check.spans[:-1]} - {check.spans[-1][1]}
    if signer in former and not check.is_foreign:
        check.add_damage(label, "it was encrypted and signed with a key that had handed over before")
    return locked


def _check_lines(segment: Segment, label: str, check: LogCheck, entries: Sequence[IndexEntry]) -> str:
    try:
        opened = segment.open()
    except SegmentLocked as fault:
        for number, entry in enumerate(entries, start=1):
            line = LogLine(label, number, entry.raw)
            if entry.raw:
                check.add(line)
            else:
                check.add_link(line, entry.link)
        return str(fault)
    with opened:
        for number, (raw, entry) in enumerate(zip_longest(opened, entries), start=1):
            if raw is None or entry is None or not _is_of(entry, raw):
                check.add_damage(label, f"record {number} of its bodies is not that of its index")
            if raw is not None:
                check.add(LogLine(label, number, raw))
    return ""


def _is_of(entry: IndexEntry, raw: bytes) -> bool:
    try:
        return index_line(raw) == (entry.raw or entry.link.computed.hex().encode("ascii") + b"\n")
    except NotARecord:
        return False
