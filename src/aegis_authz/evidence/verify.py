"""Offline proof that a record log is whole: pure, over the log's lines and its signed checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aegis_authz.core.record import CutRecord, KeyRecord, Record, SealRecord
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.evidence.chain import Link, NotARecord, decision_id_in, genesis, read_link, read_record
from aegis_authz.evidence.checkpoint import Checkpoint
from aegis_authz.evidence.document import RecordInvalid
from aegis_authz.evidence.log_report import Damage, LogLine, LogReport
from aegis_authz.evidence.notes import Note, Seal, is_foreign, trusted_seals
from aegis_authz.evidence.segment import SegmentCheck, segment_number
from aegis_authz.evidence.succession import SuccessionInvalid, read_succession
from aegis_authz.evidence.tombstone import Tombstone

MAX_DAMAGES = 100
"""So many damages are described; further ones are only counted."""


class LogCheck:
    """Follows one writer's log, line by line, and compares it with its checkpoints.

    `keys` are the raw public keys to believe: the log begins with one of them, and goes on with another only where a
    record says so by the signature of the one before. `notes` are the log's own checkpoint notes, read before its
    lines; `expected` are checkpoints kept elsewhere, verified before, and so are those that anchors hold (`anchored`).
    With a `tombstone`, verified before, the log begins behind what that stands for; checkpoints of before say nothing.
    The log is intact only when every line is whole and in its place, every note verifies and agrees, the newest covers
    exactly the last line, and every checkpoint kept elsewhere still holds.
    """

    def __init__(
        self,
        writer: str,
        keys: Sequence[bytes],
        notes: Iterable[Note],
        expected: Sequence[Checkpoint] = (),
        anchored: Sequence[Seal] = (),
        tombstone: Tombstone | None = None,
    ) -> None:
        self._writer = writer
        self._keys = keys
        self._damages: list[Damage] = []
        self._damage_count = 0
        notes = list(notes)
        self._seals, self._distrusted = trusted_seals(notes, writer, keys)
        self._is_foreign = is_foreign(notes, keys)
        self._expected = expected
        self._anchored = sorted(anchored, key=lambda seal: seal.checkpoint.size)
        sizes = [seal.checkpoint.size for seal in self._seals]
        self._newest = max(sizes, default=-1)
        self._keep = {*sizes, *(known.size for known in (*expected, *(seal.checkpoint for seal in anchored)))}
        self._starts = {genesis(writer, key): key for key in keys}
        first = min(self._seals, key=lambda seal: seal.checkpoint.size).key if self._seals else keys[0]
        self._spans = [(0, first)]
        start = genesis(writer, first)
        self._heads = {0: start}
        self._seq, self._head = 0, start
        # the first line is bound to the key, so what it continues is known of no other
        self._accepted: tuple[bytes, ...] | None = None if self._is_foreign else tuple(self._starts)
        self._first_beyond: LogLine | None = None
        self._segments = SegmentCheck(writer, tombstone.segment if tombstone is not None else 0)
        self._retired = 0
        self._notes: list[str] = []
        if tombstone is not None:
            self._begin_behind(tombstone)
        self._lines = 0
        self._times: tuple[float, float] | None = None
        self._cuts: list[str] = []
        self._unknown = 0

    @property
    def seq(self) -> int:
        """The number of the last record read."""
        return self._seq

    @property
    def is_foreign(self) -> bool:
        """Whether another key signed the log's checkpoints, so that nothing of it is proven."""
        return self._is_foreign

    @property
    def problems(self) -> list[str]:
        """What is wrong with what was read, in sentences, the first of them."""
        return [damage.sentence() for damage in self._damages]

    @property
    def head(self) -> bytes:
        """The hash of the last record read, raw."""
        return self._head

    @property
    def spans(self) -> tuple[tuple[int, bytes], ...]:
        """The raw keys that sealed the log until here, each from which record on."""
        return tuple(self._spans)

    def _begin_behind(self, tombstone: Tombstone) -> None:
        self._retired = self._seq = tombstone.size
        self._head, self._accepted = tombstone.head, (tombstone.head,)
        self._heads = {tombstone.size: tombstone.head}
        self._spans = list(tombstone.spans)
        self._notes.append(tombstone.sentence())

    def add(self, line: LogLine) -> None:
        """Take the next line, in the order of the files."""
        self._lines += 1
        if problem := self._segments.enter(segment_number(line.file), self._seq + 1):
            self._damage(line.file, problem, line, self._seq + 1)
        self._add(line)
        self._segments.add(line.raw)

    def _add(self, line: LogLine) -> None:
        try:
            link = read_link(line.raw)
            record = _known_record(line.raw)
        except NotARecord as fault:
            self._damage(line.file, f"it is not a readable record ({fault})", line, self._seq + 1)
            self._advance(self._seq + 1, b"", None, line)
            return
        if not link.is_whole:
            self._damage(line.file, "its bytes do not match its hash", line, self._seq + 1)
            self._advance(self._seq + 1, link.computed, (link.stated, link.computed), line)
        elif self._follow(line, link):
            if isinstance(record, KeyRecord):
                self._hand_over(record, line, link.seq)
            if isinstance(record, SealRecord):
                self._close_segment(record, line, link.seq)
        if record is not None:
            self._remember(record)
        elif link.is_whole:
            self._unknown += 1

    def add_link(self, line: LogLine, link: Link) -> None:
        """Take the next line, of which no more than its link is known: its bytes are encrypted."""
        self._lines += 1
        if problem := self._segments.enter(segment_number(line.file), self._seq + 1):
            self._damage(line.file, problem, line, self._seq + 1)
        self._follow(line, link)
        self._segments.add_unread()

    def add_note(self, words: str) -> None:
        """Have the report say what is no damage."""
        self._notes.append(words)

    def add_damage(self, file: str, words: str) -> None:
        """What stands in that file cannot be read, or trusted; `words` say why."""
        self._damage(file, words)

    def conclude(self, later: Iterable[Note] | None = None) -> LogReport:
        """Compare with the checkpoints and report.

        `later` is given for a log that was written to meanwhile: its notes as they were after the lines were
        read, which may cover records not read. It is None when nobody wrote.
        """
        chain_holds = self._damage_count == 0
        for seal in self._seals:
            self._compare_seal(seal, chain_holds)
        for checkpoint in self._expected:
            self._compare("the checkpoint kept elsewhere", checkpoint, chain_holds)
        self._compare_anchors(chain_holds)
        for note, why in self._distrusted:
            if not self._is_foreign and not self._is_half_begun(note):
                self._damage(note.file, why)
        later_seals, _ = trusted_seals(later or (), self._writer, self._keys)
        for seal in later_seals:
            if seal.checkpoint.size <= self._seq and seal not in self._seals:
                self._compare_seal(seal, chain_holds)
        sealed = max((seal.checkpoint.size for seal in (*self._seals, *later_seals)), default=-1)
        if self._is_foreign:
            self._damage(self._writer, _FOREIGN)
        elif sealed < 0:
            self._damage(self._writer, "no signed checkpoint of this log can be trusted")
        elif sealed < self._seq:
            self._beyond(sealed)
        return self._report(max(sealed, 0))

    def _is_half_begun(self, note: Note) -> bool:
        """Whether this is the second note of a writer that died, or could not go on, as it began its log."""
        return not note.raw and not self._lines and any(seal.checkpoint.size == 0 for seal in self._seals)

    def _follow(self, line: LogLine, link: Link) -> bool:
        """Go on with this whole line; whether it is not one of before."""
        if not self._is_in_place(line, link):
            return False
        if link.seq == 1 and link.prev in self._starts:
            self._spans, self._heads[0] = [(0, self._starts[link.prev])], link.prev
        self._advance(link.seq, link.computed, (link.computed,), line)
        return True

    def _is_in_place(self, line: LogLine, link: Link) -> bool:
        """Whether the chain goes on from this whole line; reports what is wrong with its place."""
        expected = self._seq + 1
        if link.writer != self._writer:
            self._damage(line.file, f"it belongs to the log of {link.writer}", line, link.seq)
        elif link.seq < expected:
            self._damage(line.file, f"it is out of order, record {expected} belongs here", line, link.seq)
            return False
        elif link.seq > expected:
            missing = f"record {expected}" if link.seq == expected + 1 else f"records {expected} to {link.seq - 1}"
            self._damage(line.file, f"{missing} missing before it", line, link.seq)
        elif self._accepted is not None and link.prev not in self._accepted:
            self._damage(line.file, _BAD_START if expected == 1 else _BAD_LINK, line, expected)
        return True

    def _advance(self, seq: int, head: bytes, accepted: tuple[bytes, ...] | None, line: LogLine) -> None:
        self._seq, self._head, self._accepted = seq, head, accepted
        if seq in self._keep or seq >= self._newest:
            self._heads[seq] = head
        if self._first_beyond is None and seq > self._newest:
            self._first_beyond = line

    def _hand_over(self, record: KeyRecord, line: LogLine, seq: int) -> None:
        """Take the key that the record names for what comes, if the key until here vouches for it."""
        try:
            step = read_succession(record.note)
        except SuccessionInvalid as fault:
            self._damage(line.file, f"its change of key cannot be trusted: {fault}", line, seq)
            return
        if step.former != self._spans[-1][1] or record.key_id != thumbprint(step.successor):
            self._damage(line.file, "its change of key is none of the key that seals this log", line, seq)
        elif step.successor not in self._keys:
            if not self._is_foreign:
                self._damage(line.file, "it goes on with a key that is not among those given", line, seq)
        else:
            self._spans.append((seq, step.successor))

    def _close_segment(self, seal: SealRecord, line: LogLine, seq: int) -> None:
        problem = self._segments.close(seal, seq, None if self._is_foreign else self._spans[-1][1])
        if problem and not self._damage_count:  # what is damaged before it does not fit the seal either
            self._damage(line.file, problem, line, seq)

    def _compare_anchors(self, chain_holds: bool) -> None:
        """Compare until the first that does not hold; of those beyond the end, the newest says how much is missing."""
        beyond = [seal for seal in self._anchored if seal.checkpoint.size > self._seq]
        for seal in (*self._anchored[: len(self._anchored) - len(beyond)], *beyond[-1:]):
            before = self._damage_count
            self._compare_seal(seal, chain_holds)
            if self._damage_count > before:
                return

    def _compare_seal(self, seal: Seal, chain_holds: bool) -> None:
        if seal.checkpoint.size < self._retired:
            return  # of what is retired
        ends = [begin for begin, _ in self._spans[1:]] + [seal.checkpoint.size]
        spans = zip(self._spans, ends, strict=True)
        if not any(key == seal.key and begin <= seal.checkpoint.size <= end for (begin, key), end in spans):
            self._damage(seal.file, "it is signed with a key that seals another part of the log, or none of it")
            return
        self._compare(seal.file, seal.checkpoint, chain_holds)

    def _compare(self, file: str, checkpoint: Checkpoint, chain_holds: bool) -> None:
        size = checkpoint.size
        if size < self._retired:
            return
        if size > self._seq:
            missing = f"{self._seq + 1} to {size}" if size > self._seq + 1 else f"{size}"
            self._damage(file, f"it seals {size} records, {missing} missing: the log was truncated or rolled back")
        elif chain_holds and self._heads[size] != checkpoint.head:
            self._damage(file, f"its hash of record {size} is another: the log was rewritten or forked before it")

    def _beyond(self, sealed: int) -> None:
        first = self._first_beyond if sealed == self._newest else None
        self._damage(first.file if first else self._writer, _UNSEALED, first, sealed + 1)

    def _remember(self, record: Record) -> None:
        self._times = (self._times[0] if self._times else record.time, record.time)
        if isinstance(record, CutRecord):
            self._cuts.append(record.kept_in)

    def _damage(self, file: str, words: str, line: LogLine | None = None, seq: int = 0) -> None:
        self._damage_count += 1
        if len(self._damages) < MAX_DAMAGES:
            decision_id = decision_id_in(line.raw) if line is not None else ""
            self._damages.append(Damage(file, line.number if line is not None else 0, seq, decision_id, words))

    def _sealing_ids(self) -> Iterator[str]:
        ends = [begin for begin, _ in self._spans[1:]]
        for (begin, key), end in zip(self._spans, [*ends, None], strict=True):
            if begin == 0 or end is None or end > begin + 1:
                yield thumbprint(key)

    def _report(self, sealed: int) -> LogReport:
        return LogReport(
            writer=self._writer,
            records=self._lines,
            sealed=sealed,
            unknown=self._unknown,
            first_time=self._times[0] if self._times else None,
            last_time=self._times[1] if self._times else None,
            head=self._head.hex(),
            key_ids=tuple(thumbprint(key) for _, key in self._spans),
            sealing_ids=tuple(self._sealing_ids()),
            cuts=tuple(self._cuts),
            damages=tuple(self._damages),
            damage_count=self._damage_count,
            is_foreign=self._is_foreign and self._damage_count == 1,
            notes=tuple(self._notes),
        )


_FOREIGN = (
    "its checkpoints are signed with another key than those given, so nothing of it is proven: "
    "verify it with the key of its writer (--key)"
)
_BAD_START = "the log does not begin as it must for this writer and this key: it was replaced, or the key is another"
_BAD_LINK = "it does not continue the record before it: the log was rewritten or forked here"
_UNSEALED = (
    "no signed checkpoint covers it: it was added by another hand, the checkpoint was rolled back, "
    "or the writer died before it could answer for it"
)


def _known_record(line: bytes) -> Record | None:
    try:
        return read_record(line)
    except RecordInvalid:
        return None
