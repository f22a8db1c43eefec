#!/usr/bin/env python3
"""Verify a folder of Aegis records with this file alone: Python 3.11 and nothing else (docs/evidence.md).

It shares no code with what writes records, and is written from docs/records.md: whoever doubts the one has the other.
Ed25519 is that of the package `cryptography` where it can be imported, else the one below (RFC 8032, section 5.1.7).

    python verify_records.py RECORDS --key records.pub.json [--anchors anchors.jsonl] [--expect checkpoints.note]

Exits with 0 when every log is proven, 1 when one is not, 2 when nothing can be read.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SLOTS = ("checkpoint-a.note", "checkpoint-b.note")
SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: what stands before a raw key in DER
WRITER = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
LINE = re.compile(
    rb'(\{"writer":"([A-Za-z0-9._-]+)","seq":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})",.+),"hash":"([0-9a-f]{64})"\}\n'
)
SIGNATURE = "\n\u2014 ([^ +\n]+) ([A-Za-z0-9+/]{91}=)\n"
CHECKPOINT = re.compile(f"(aegis/({WRITER})\n(0|[1-9][0-9]{{0,17}})\n([A-Za-z0-9+/]{{43}}=)\n){SIGNATURE}")
ROSTER = re.compile(f"(aegis-roster\n(?:0|[1-9][0-9]{{0,17}})\n((?:~?{WRITER}\n){{1,1000}})){SIGNATURE}")
SUCCESSION = re.compile(f"(aegis-succession\n([A-Za-z0-9+/]{{43}}=)\n([A-Za-z0-9+/]{{43}}=)\n){SIGNATURE}")
SEGMENT = re.compile(f"(aegis-segment\n{WRITER}\n[0-9]+\n[0-9]+\n[0-9]+\n[0-9a-f]{{64}}\n){SIGNATURE}")
MOST_BYTES = 256 * 1024 * 1024  # what a compressed segment may expand to
ANCHOR = {"number", "at", "place", "writer", "first", "size", "note", "previous", "hash"}
TOMBSTONE = re.compile(
    f"(aegis-tombstone\n({WRITER})\n([1-9][0-9]{{0,7}})\n([1-9][0-9]{{0,17}})\n([A-Za-z0-9+/]{{43}}=)\n([0-9a-f]{{64}})\n"
    f"((?:0|[1-9][0-9]{{0,17}})\n){{2}}((?:(?:0|[1-9][0-9]{{0,17}}) [A-Za-z0-9+/]{{43}}=\n){{1,1000}})"
    f"((?:tree [A-Za-z0-9+/]{{43}}=\n){{1,60}})){SIGNATURE}"
)
HEAD = re.compile(f"(aegis/({WRITER})/tree\n([1-9][0-9]{{0,17}})\n([A-Za-z0-9+/]{{43}}=)\n){SIGNATURE}")
PROOF = re.compile(
    "c2sp\\.org/tlog-proof@v1\nextra ([A-Za-z0-9+/]+={0,2})\nindex (0|[1-9][0-9]{0,17})\n"
    "((?:[A-Za-z0-9+/]{43}=\n){0,60})\n(.*)",
    re.DOTALL,
)
GROWTH = re.compile("old ([1-9][0-9]{0,17})\n((?:[A-Za-z0-9+/]{43}=\n){0,60})\n(.*)", re.DOTALL)
SEAL_RECORD = {"v", "kind", "decision_id", "time", "segment", "first", "last", "digest", "signature"}
KEY_RECORD = {"v", "kind", "decision_id", "time", "key_id", "note"}
ENCRYPTED = re.compile(
    f"(aegis-encrypted-segment\n({WRITER})\n([1-9][0-9]{{0,7}})\n"
    "(0|[1-9][0-9]{0,17}) (0|[1-9][0-9]{0,17})\n([0-9a-f]{64})\n"
    "(?:0|[1-9][0-9]{0,17})\n(0|[1-9][0-9]{0,17}) ([0-9a-f]{64})\n(0|[1-9][0-9]{0,17}) ([0-9a-f]{64})\n"
    f"[A-Za-z0-9][A-Za-z0-9._:/-]{{0,199}}\n[A-Za-z0-9][A-Za-z0-9+/=:_-]{{0,999}}\n){SIGNATURE}"
)
MOST_HEAD = 4096  # bytes
NO_CHECKPOINT = "no signed checkpoint of this log can be trusted"
FOREIGN = "signed with another key than those given"

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]


def _add(a: Point, b: Point) -> Point:
    left, right = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    t, z = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = right - left, z - t, z + t, right + left
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point, scalar = _add(point, point), scalar >> 1
    return total


def _point(data: bytes) -> Point | None:
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def _encoded(point: Point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def pure_verify(key: bytes, signature: bytes, text: bytes) -> bool:
    """Whether `signature` of `text` is by the owner of the raw Ed25519 `key`; in no constant time, of public data."""
    owner, scalar = _point(key), int.from_bytes(signature[32:], "little")
    if owner is None or BASE is None or len(signature) != 64 or scalar >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % ORDER
    negated = (-owner[0] % P, owner[1], 1, -owner[3] % P)
    return _encoded(_add(_times(scalar, BASE), _times(challenge, negated))) == signature[:32]


def _library_verify() -> Callable[[bytes, bytes, bytes], bool]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return pure_verify

    def verify(key: bytes, signature: bytes, text: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True

    return verify


@dataclass
class Log:
    """What was found of one writer's log. `spans` are the keys that sealed it, each from which record on."""

    writer: str
    faults: list[str] = field(default_factory=list)
    is_foreign: bool = False
    records: int = 0
    sealed: int = 0
    retired: int = 0
    unread: int = 0
    spans: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def is_proven(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.faults and not self.is_foreign


@dataclass(frozen=True)
class Seal:
    """A checkpoint whose signature was verified: where it is from, what it seals, by which key."""

    file: str
    writer: str
    size: int
    head: bytes
    key: bytes


@dataclass(frozen=True)
class Tombstone:
    """What stands for the segments of a log that were retired, and the keys that sealed them."""

    segment: int = 0
    size: int = 0
    head: bytes | None = None
    first: str = ""
    spans: tuple[tuple[int, bytes], ...] = ()
    tree: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Unread:
    """A record of an encrypted segment: its place in the chain, and its hash."""

    writer: str
    number: int
    prev: bytes
    digest: bytes


class Segments:
    """Follows the files of a log: behind the first seal, each but the last ends in one, and the next number follows."""

    def __init__(self, retired: int) -> None:
        self.number, self.first = retired, 0
        self.is_closed = self.has_seal = retired > 0
        self.digest_before: str | None = ""  # None where lines are encrypted
        self._digest = hashlib.sha256()
        self._is_read = True

    def enter(self, place: str, raw: bytes | Unread, seq: int) -> str:
        """The next line, at that place, where record `seq` belongs; returns what is wrong with its place."""
        number, problem = int(place.rsplit("/", 1)[1][:8]), ""
        if number == self.number:
            problem = "it stands behind the seal of its segment" if self.is_closed else ""
        else:
            if self.is_closed and number != self.number + 1:
                problem = f"segment {number} stands where segment {self.number + 1} belongs"
            elif self.has_seal and not self.is_closed:
                problem = f"segment {self.number} before it does not end in a seal"
            self.number, self.first, self.is_closed, self._digest = number, seq, False, hashlib.sha256()
            self._is_read = True
        self.digest_before = self._digest.hexdigest() if self._is_read else None
        if isinstance(raw, Unread):
            self._is_read = False
        else:
            self._digest.update(raw)
        return problem


class Foreign(Exception):
    """A note is signed with a key that was not given."""


class Verifier:
    """Verifies folders with these raw public keys; with `is_sealed_alone` folders of sealed segments alone."""

    def __init__(
        self, keys: list[bytes], verify: Callable[[bytes, bytes, bytes], bool], is_sealed_alone: bool = False
    ) -> None:
        self._keys = keys
        self._verify = verify
        self._is_sealed_alone = is_sealed_alone

    def folder(self, folder: Path, expected: list[Seal], anchors: list[dict[str, Any]], faults: list[str]) -> list[Log]:
        """All logs of a folder, and what the rosters, `expected` and `anchors` miss; `faults` are of the anchors."""
        single = is_log(folder)
        paths = [folder] if single else sorted(path for path in folder.iterdir() if path.is_dir() and is_log(path))
        known, foreign = self._anchored(anchors, faults)
        if single:
            known = [(first, seal) for first, seal in known if seal.writer == folder.name]
            foreign = [name for name in foreign if name == folder.name]
        logs, matched = [], set()
        for path in paths:
            firsts = self._firsts(path)
            own = [seal for first, seal in known if seal.writer == path.name and first in firsts]
            matched.update(own)
            logs.append(self._log(path, [*(seal for seal in expected if seal.writer == path.name), *own]))
        names = {path.name for path in paths}
        lost = [seal for seal in expected if seal.writer not in names] + [s for _, s in known if s not in matched]
        if self._is_sealed_alone:  # of a log that is not here nothing may be sealed yet
            lost = [seal for seal in lost if seal.writer in names]
        logs += [Log(seal.writer, [f"{seal.file} seals {seal.size} records of a log that is missing"]) for seal in lost]
        logs += [Log("anchors", [fault]) for fault in faults]
        logs += [Log("anchors", [f"what is anchored of {name} is {FOREIGN}"], True) for name in foreign]
        for key in [] if single or self._is_sealed_alone else self._keys:
            logs += self._roster(folder, key, logs)
        return logs

    def expected(self, path: Path) -> list[Seal]:
        """The checkpoints in a file of them. Raises ValueError."""
        lines = path.read_text("utf-8").split("\n")
        if lines[-1] or len(lines) % 5 != 1:
            raise ValueError(f"{path} is no file of checkpoints")
        notes = ["\n".join(lines[at : at + 5]) + "\n" for at in range(0, len(lines) - 1, 5)]
        return [self._checkpoint("the checkpoint kept elsewhere", note.encode()) for note in notes]

    def _signed(self, match: re.Match[str], name: str) -> bytes:
        """The key that signed a note in that name. Raises Foreign, ValueError."""
        signature = base64.b64decode(match[match.lastindex or 0])
        if (
            base64.b64encode(signature).decode() != match[match.lastindex or 0]
            or match[(match.lastindex or 1) - 1] != name
        ):
            raise ValueError("its signature line is not as it must be")
        for key in self._keys:
            if hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4] == signature[:4]:
                if not self._verify(key, signature[4:], match[1].encode()):
                    raise ValueError("its signature does not verify")
                return key
        raise Foreign(FOREIGN)

    def _checkpoint(self, file: str, note: bytes) -> Seal:
        match = CHECKPOINT.fullmatch(note.decode("utf-8", "replace"))
        if match is None:
            raise ValueError("not a checkpoint")
        key = self._signed(match, f"aegis/{match[2]}")
        head = base64.b64decode(match[4])
        if base64.b64encode(head).decode() != match[4]:
            raise ValueError("its hash is not canonical base64")
        return Seal(file, match[2], int(match[3]), head, key)

    def _log(self, folder: Path, elsewhere: list[Seal]) -> Log:
        log, writer = Log(folder.name), folder.name
        seals, distrusted, strangers = ([], [], 0) if self._is_sealed_alone else self._slots(folder)
        log.is_foreign = strangers == len(SLOTS)
        try:
            tombstone = self._tombstone(folder, log.is_foreign)
        except (ValueError, Foreign) as fault:
            tombstone = Tombstone()
            log.faults.append(f"tombstone.note: {fault}")
        oldest = min(seals, key=lambda seal: seal.size) if seals else None
        starts = {start_of(writer, key): key for key in self._keys}
        log.spans = [(0, oldest.key if oldest else self._keys[0])]
        wanted = {seal.size for seal in (*seals, *elsewhere)}
        heads = {0: start_of(writer, log.spans[0][1])}
        log.retired = seq = tombstone.size
        head = tombstone.head
        if head is not None:
            heads[seq], log.spans = head, list(tombstone.spans)
        segments = Segments(tombstone.segment)
        for place, raw in lines_of(folder, log.faults, tombstone.segment, lambda *of: self._encrypted(log, *of)):
            log.records += 1
            if problem := segments.enter(place, raw, seq + 1):
                log.faults.append(f"{place}: {problem}")
            log.unread += isinstance(raw, Unread)
            link = link_of(raw)
            if link is None:
                log.faults.append(f"{place}: it is not a readable record")
                seq, head = seq + 1, None
                continue
            owner, number, prev, computed, is_whole, record = link
            if problem := self._problem(owner, number, prev, is_whole, (writer, seq, head, starts)):
                if not (log.is_foreign and seq == 0 and problem == "it does not begin as it must"):
                    log.faults.append(f"{place}: {problem}")
            elif number == 1 and prev in starts:
                log.spans, heads[0] = [(0, starts[prev])], prev
            seq, head = max(seq, number), computed
            if seq in wanted:
                heads[seq] = computed
            if record.get("kind") == "key" and record.get("v") == 1:
                self._hand_over(log, record, seq, place)
            if not problem and record.get("kind") == "seal" and record.get("v") == 1:
                self._close(log, record, segments, seq, place)
        if self._is_sealed_alone:
            if not segments.is_closed:
                log.faults.append("it does not end in a seal")
            elsewhere = [seal for seal in elsewhere if seal.size <= seq]  # the others seal what is not sealed yet
        self._conclude(log, seq, heads, seals, elsewhere)
        if self._is_sealed_alone:
            log.faults, log.sealed = [fault for fault in log.faults if fault != NO_CHECKPOINT], seq
        half_begun = not log.records and any(seal.size == 0 for seal in seals)
        log.faults += [why for why, is_empty in distrusted if not log.is_foreign and not (is_empty and half_begun)]
        return log

    @staticmethod
    def _problem(
        owner: str, number: int, prev: bytes, is_whole: bool, state: tuple[str, int, bytes | None, dict[bytes, bytes]]
    ) -> str:
        writer, seq, head, starts = state
        if not is_whole:
            return "its bytes do not match its hash"
        if owner != writer:
            return f"it belongs to the log of {owner}"
        if number != seq + 1:
            return f"it is record {number} where record {seq + 1} belongs"
        if seq == 0 and prev not in starts:
            return "it does not begin as it must"
        return "it does not continue the record before it" if head is not None and prev != head else ""

    def _encrypted(self, log: Log, name: str, match: re.Match[str]) -> None:
        """Who signed the head of an encrypted segment, whose records were read before."""
        try:
            if self._signed(match, "aegis-encrypted-segment") in {key for _, key in log.spans[:-1]} - {
                log.spans[-1][1]
            }:
                raise ValueError("it was encrypted and signed with a key that had handed over before")
        except Foreign as fault:
            log.faults += [] if log.is_foreign else [f"{name}: {fault}"]
        except ValueError as fault:
            log.faults.append(f"{name}: {fault}")

    def _slots(self, folder: Path) -> tuple[list[Seal], list[tuple[str, bool]], int]:
        seals: list[Seal] = []
        distrusted: list[tuple[str, bool]] = []
        strangers = 0
        for slot in SLOTS:
            raw = (folder / slot).read_bytes() if (folder / slot).exists() else b""
            try:
                seal = self._checkpoint(slot, raw)
                if seal.writer != folder.name:
                    raise ValueError(f"it is a checkpoint of {seal.writer}")
                seals.append(seal)
            except Foreign as fault:
                strangers += 1
                distrusted.append((f"{slot}: {fault}", False))
            except ValueError as fault:
                distrusted.append((f"{slot}: {fault}", not raw))
        return seals, distrusted, strangers

    def _hand_over(self, log: Log, record: dict[str, Any], seq: int, place: str) -> None:
        if record.keys() - {"writer", "seq", "prev", "hash"} != KEY_RECORD or not isinstance(record["note"], str):
            return
        match = SUCCESSION.fullmatch(record["note"])
        former, successor = (base64.b64decode(match[at]) for at in (2, 3)) if match else (b"", b"")
        trusted = Verifier([former], self._verify)
        try:
            if match is None or former != log.spans[-1][1]:
                raise ValueError("its change of key is none of the key that seals this log")
            trusted._signed(match, "aegis-succession")
            if record["key_id"] != thumbprint(successor):
                raise ValueError("its change of key names another key")
            if successor not in self._keys:
                raise ValueError("it goes on with a key that is not among those given")
        except (ValueError, Foreign) as fault:
            log.faults.append(f"{place}: {fault}")
            return
        log.spans.append((seq, successor))

    def _tombstone(self, folder: Path, is_foreign: bool) -> Tombstone:
        """What stands for retired segments. Raises ValueError, Foreign unless nothing of the log is to be proven."""
        path = folder / "tombstone.note"
        if not path.exists():
            return Tombstone()
        match = TOMBSTONE.fullmatch(path.read_bytes()[: 128 * 1024].decode("utf-8", "replace"))
        if match is None:
            raise ValueError("not a tombstone")
        pairs = [line.split(" ") for line in match[8].splitlines()]
        spans = tuple((int(begin), base64.b64decode(key)) for begin, key in pairs)
        head = base64.b64decode(match[5])
        subtrees = [line.removeprefix("tree ") for line in match[9].splitlines()]
        tree = tuple(base64.b64decode(text) for text in subtrees)
        tombstone = Tombstone(int(match[3]), int(match[4]), head, match[6], spans, tree)
        texts = [(head, match[5]), *zip((key for _, key in spans), (text for _, text in pairs), strict=True)]
        texts += list(zip(tree, subtrees, strict=True))
        if any(base64.b64encode(raw).decode() != text for raw, text in texts):
            raise ValueError("its base64 is not canonical")
        if match[2] != folder.name:
            raise ValueError(f"it is of the log of {match[2]}")
        try:
            signer = self._signed(match, "aegis-tombstone")
        except Foreign:
            if is_foreign:
                return tombstone
            raise
        if len(subtrees) != tombstone.size.bit_count():
            raise ValueError("it has not as many subtrees as records")
        begins = [begin for begin, _ in spans]
        moments = [int(line) for line in match[1].split("\n")[6:8]]
        if max(moments) > 253_402_300_799 or begins != sorted({0, *begins}) or begins[-1] > tombstone.size:
            raise ValueError("its times or its keys are not in order")
        if signer in {key for _, key in spans[:-1]} or spans[-1][1] not in self._keys:
            raise ValueError("it is signed with, or goes on with, a key that it may not")
        return tombstone

    def head(self, note: str) -> tuple[str, int, bytes]:
        """Whose log a signed head of a tree is of, its size and its root. Raises Foreign, ValueError."""
        match = HEAD.fullmatch(note)
        if match is None:
            raise ValueError("it is no signed head of a tree over a log")
        self._signed(match, f"aegis/{match[2]}/tree")
        return match[2], int(match[3]), base64.b64decode(match[4])

    def hold_against(self, folder: Path, log: Log, witnesses: list[tuple[str, bytes]], quorum: int) -> None:
        """Hold a log against the head beside it that witnesses cosigned; what is wrong becomes a fault of the log."""
        try:
            self._hold(folder, witnesses, quorum)
        except (OSError, ValueError, Foreign) as fault:
            log.faults.append(f"cosigned.note: {fault}")

    def _hold(self, folder: Path, witnesses: list[tuple[str, bytes]], quorum: int) -> None:
        text, _, rest = (folder / "cosigned.note").read_bytes()[:65536].decode("utf-8", "replace").partition("\n\n")
        first, *lines = rest.splitlines(keepends=True) or [""]
        writer, size, root = self.head(f"{text}\n\n{first}")
        if writer != folder.name:
            raise ValueError(f"it is of the log of {writer}")
        signed = [
            name for name, key in witnesses if any(self._cosigned(line, name, key, f"{text}\n") for line in lines)
        ]
        if len(signed) < quorum:
            raise ValueError(f"{len(signed)} of the witnesses cosigned it, and {quorum} are asked for")
        tombstone = self._tombstone(folder, False)
        tree, count = list(tombstone.tree), tombstone.size
        for _, raw in lines_of(folder, [], tombstone.segment):
            if count >= size:
                break
            if isinstance(raw, Unread):
                raise ValueError("the tree is over lines, and this file reads no encrypted ones")  # noqa: TRY004
            grow(tree, count, raw)
            count += 1
        if count != size:
            raise ValueError(f"it seals {size} records, and {count} are there or retired")
        if root_of(tree) != root:
            raise ValueError(f"the tree over the first {size} records is another: a log rewritten or forked")

    def _cosigned(self, line: str, name: str, key: bytes, text: str) -> bool:
        """Whether a line is the cosignature of that witness on a checkpoint (C2SP tlog-cosignature, Ed25519)."""
        match = re.fullmatch("\u2014 ([^ +\n]+) ([A-Za-z0-9+/]{102}==|[A-Za-z0-9+/]{103}=|[A-Za-z0-9+/]{104})\n", line)
        if match is None or match[1] != name:
            return False
        data = base64.b64decode(match[2])
        key_id = hashlib.sha256(name.encode() + b"\n\x04" + key).digest()[:4]
        if len(data) != 76 or data[:4] != key_id or base64.b64encode(data).decode() != match[2]:
            return False
        at = int.from_bytes(data[4:12], "big")
        return self._verify(key, data[12:], f"cosignature/v1\ntime {at}\n{text}".encode())

    def proof(self, text: str) -> str:
        """What a tlog-proof proves, in a sentence and the line itself. Raises Foreign, ValueError."""
        match = PROOF.fullmatch(text)
        if match is None:
            raise ValueError("it is no tlog-proof")
        writer, size, root = self.head(match[4])
        line, index = base64.b64decode(match[1]), int(match[2])
        link = LINE.fullmatch(line)
        if link is None or link[2].decode() != writer or int(link[3]) != index + 1:
            raise ValueError("what it proves is not the record of that number of that log")
        if not is_included(line, index, size, hashes_of(match[3]), root):
            raise ValueError("its path does not lead to the root that was signed")
        return f"record {index + 1} of {writer} is one of its first {size}: {line.decode().rstrip()}"

    def growth(self, text: str, former: str) -> str:
        """What a proof of growth since a signed head proves, in a sentence. Raises Foreign, ValueError."""
        match = GROWTH.fullmatch(text)
        if match is None:
            raise ValueError("it is no proof of growth")
        writer, size, root = self.head(match[3])
        owner, first, old = self.head(former)
        if (owner, first) != (writer, int(match[1])):
            raise ValueError("it is not about the head of before")
        if not is_beginning(first, size, old, root, hashes_of(match[2])):
            raise ValueError("the log does not begin with what was signed before")
        return f"the {size} records of {writer} begin with the {first} of before"

    def _firsts(self, folder: Path) -> set[str]:
        try:
            tombstone = self._tombstone(folder, False)
        except (ValueError, Foreign):
            return first_hashes(folder)
        return {tombstone.first} if tombstone.size else first_hashes(folder)

    def _close(self, log: Log, record: dict[str, Any], segments: Segments, seq: int, place: str) -> None:
        """A segment ends in its seal."""
        if record.keys() - {"writer", "seq", "prev", "hash"} != SEAL_RECORD:
            return
        segments.is_closed = segments.has_seal = True
        if log.faults:
            return
        extent = [record[name] for name in ("segment", "first", "last", "digest")]
        digest = record["digest"] if segments.digest_before is None else segments.digest_before
        if extent != [segments.number, segments.first, seq - 1, digest]:
            log.faults.append(f"{place}: it seals another segment than the one before it")
        elif not log.is_foreign:
            text = "\n".join(["aegis-segment", log.writer, *map(str, extent)]) + "\n"
            match = SEGMENT.fullmatch(f"{text}\n\u2014 aegis-segment {record['signature']}\n")
            try:
                if match is None:
                    raise ValueError("its seal is malformed")
                Verifier([log.spans[-1][1]], self._verify)._signed(match, "aegis-segment")
            except (ValueError, Foreign) as fault:
                log.faults.append(f"{place}: {fault}")

    @staticmethod
    def _conclude(log: Log, seq: int, heads: dict[int, bytes], seals: list[Seal], elsewhere: list[Seal]) -> None:
        ends = [begin for begin, _ in log.spans[1:]] + [sys.maxsize]
        for seal in (*seals, *elsewhere):
            spans = zip(log.spans, ends, strict=True)
            if seal.size < log.retired:
                continue
            if not any(key == seal.key and begin <= seal.size <= end for (begin, key), end in spans):
                log.faults.append(f"{seal.file}: it is signed with a key that does not seal this part of the log")
            elif seal.size > seq:
                log.faults.append(
                    f"{seal.file}: it seals {seal.size} records of which {seq} are there: a cut or old log"
                )
            elif not log.faults and heads.get(seal.size) != seal.head:
                log.faults.append(f"{seal.file}: record {seal.size} is another: a log rewritten or forked")
        log.sealed = max((seal.size for seal in seals), default=0)
        if not seals and not log.is_foreign:
            log.faults.append(NO_CHECKPOINT)
        elif seals and log.sealed < seq:
            log.faults.append(f"no signed checkpoint covers record {log.sealed + 1} and what follows")

    def _roster(self, folder: Path, key: bytes, logs: list[Log]) -> Iterator[Log]:
        path = folder / f"roster-{hashlib.sha256(key).hexdigest()[:16]}.note"
        own = {log.writer for log in logs if log.sealed and key in sealing_keys(log)}
        if not path.exists():
            if own:
                yield Log(path.name, ["the roster of writers is missing"])
            return
        match = ROSTER.fullmatch(path.read_bytes().decode("utf-8", "replace"))
        try:
            if match is None:
                raise ValueError("not a roster")
            Verifier([key], self._verify)._signed(match, "aegis-roster")
        except (ValueError, Foreign) as fault:
            yield Log(path.name, [f"the roster of writers cannot be trusted: {fault}"])
            return
        names = match[2].split()
        writers = {name for name in names if not name.startswith("~")}
        reached = {log.writer for log in logs if any(key == span for _, span in log.spans)}
        present = {log.writer for log in logs if log.is_proven or (log.sealed and not log.is_foreign)}
        for name in sorted({name.removeprefix("~") for name in names} - {log.writer for log in logs}):
            yield Log(name, ["the whole log is missing; the roster of writers names it"])
        for name in sorted((writers & present) - reached):
            yield Log(name, ["it ends before the key of a roster that names it seals anything"])
        if own - writers:
            yield Log(path.name, [f"the roster of writers lacks {', '.join(sorted(own - writers))}"])

    def _anchored(self, anchors: list[dict[str, Any]], faults: list[str]) -> tuple[list[tuple[str, Seal]], list[str]]:
        known: list[tuple[str, Seal]] = []
        foreign: set[str] = set()
        for anchor in anchors:
            try:
                seal = self._checkpoint(f"anchor {anchor['number']}", anchor["note"].encode())
                if (seal.writer, seal.size) != (anchor["writer"], anchor["size"]):
                    raise ValueError("its checkpoint is of another log")
                known.append((anchor["first"], seal))
            except Foreign:
                foreign.add(anchor["writer"])
            except ValueError as fault:
                faults.append(f"anchor {anchor['number']}: {fault}")
        return known, sorted(foreign)


def read_anchors(path: Path, places: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """The anchors in a file, of these places or of all, and what is wrong with the file. Raises ValueError where there
    are none, which would prove whatever is there.
    """
    anchors: list[dict[str, Any]] = []
    faults: list[str] = []
    count, previous = 0, "0" * 64
    for number, raw in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        count += 1
        anchor = members_of(raw)
        if anchor is None or not raw.endswith(b"\n") or set(anchor) != ANCHOR or not is_whole_anchor(anchor):
            faults.append(f"{path.name} line {number} is no anchor")
            previous = ""
            continue
        if anchor["number"] != count or previous not in ("", anchor["previous"]):
            faults.append(f"{path.name} line {number} does not continue the one before it")
        count, previous = anchor["number"], anchor["hash"]
        anchors.append(anchor)
    if not count:
        raise ValueError(f"{path} holds no anchor")
    if strange := sorted(set(places) - {anchor["place"] for anchor in anchors}):
        raise ValueError(f"{path} holds no anchor of {', '.join(strange)}")
    return [anchor for anchor in anchors if not places or anchor["place"] in places], faults


def is_whole_anchor(anchor: dict[str, Any]) -> bool:
    """Whether the members of an anchor match its hash."""
    texts, numbers = ("place", "writer", "first", "note", "previous", "hash"), ("number", "size")
    if not all(isinstance(anchor[name], str) for name in texts) or any(
        type(anchor[name]) is not int for name in numbers
    ):
        return False
    if type(anchor["at"]) not in (int, float) or not 0 <= anchor["at"] < 253_402_300_800:  # the year 10000
        return False
    names = ("place", "writer", "first", "size", "note")
    content = ["aegis-anchor-v1", anchor["number"], anchor["previous"], float(anchor["at"])]
    content += [anchor[name] for name in names]
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest() == anchor["hash"]


def hashes_of(lines: str) -> list[bytes]:
    """The hashes of a proof, each on a line."""
    return [base64.b64decode(line) for line in lines.splitlines()]


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees (RFC 9162, section 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def grow(tree: list[bytes], count: int, line: bytes) -> None:
    """Add a line to a tree of `count` lines that is known by its whole subtrees, the largest first."""
    found = hashlib.sha256(b"\x00" + line).digest()
    while count & 1:
        found, count = node(tree.pop(), found), count >> 1
    tree.append(found)


def root_of(tree: list[bytes]) -> bytes:
    """The root over whole subtrees."""
    *others, found = tree or [hashlib.sha256().digest()]
    for subtree in reversed(others):
        found = node(subtree, found)
    return found


def witness_of(text: str) -> tuple[str, bytes]:
    """The name and the raw key in a witness's verifier key, name+id+key. Raises ValueError."""
    match = re.fullmatch(r"([^ +\n]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})", text)
    material = base64.b64decode(match[3]) if match else b""
    if match is None or len(material) != 33 or material[0] != 4:
        raise ValueError(f"{text} is no key of a witness that makes Ed25519 cosignatures")
    if hashlib.sha256(match[1].encode() + b"\n" + material).hexdigest()[:8] != match[2]:
        raise ValueError(f"{text}: its id is not that of its name and key")
    return match[1], material[1:]


def is_included(line: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Whether a line is that leaf of the tree (RFC 9162, section 2.1.3.2)."""
    at, last, found = index, size - 1, hashlib.sha256(b"\x00" + line).digest()
    for sibling in path:
        if not last:
            return False
        if at & 1 or at == last:
            found = node(sibling, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node(found, sibling)
        at, last = at >> 1, last >> 1
    return index < size and not last and found == root


def is_beginning(first: int, second: int, old: bytes, new: bytes, proof: list[bytes]) -> bool:
    """Whether the tree of the first `first` leaves is the beginning of the other (RFC 9162, section 2.1.4.2)."""
    if first >= second or not proof:
        return first == second and old == new and not proof
    path = [old, *proof] if not first & first - 1 else proof
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if not last:
            return False
        if at & 1 or at == last:
            before, after = node(sibling, before), node(sibling, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = node(after, sibling)
        at, last = at >> 1, last >> 1
    return (before, after, last) == (old, new, 0)


def start_of(writer: str, key: bytes) -> bytes:
    """What stands before the first record of a log."""
    return hashlib.sha256(b"aegis-record-genesis-v1\x00" + writer.encode() + b"\x00" + key).digest()


def thumbprint(key: bytes) -> str:
    """RFC 7638 of a raw Ed25519 key."""
    x = base64.urlsafe_b64encode(key).rstrip(b"=").decode()
    digest = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def sealing_keys(log: Log) -> set[bytes]:
    """The keys that sealed something of a log; one that it only passed through did not."""
    ends: list[int | None] = [*(begin for begin, _ in log.spans[1:]), None]
    spans = zip(log.spans, ends, strict=True)
    return {key for (begin, key), end in spans if begin == 0 or end is None or end > begin + 1}


def members_of(raw: bytes) -> dict[str, Any] | None:
    """The JSON object in a line, None for anything else."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def link_of(raw: bytes | Unread) -> tuple[str, int, bytes, bytes, bool, dict[str, Any]] | None:
    """Of a line its writer, its number, the hash before it, its own, whether it states that, and what it says."""
    if isinstance(raw, Unread):
        return raw.writer, raw.number, raw.prev, raw.digest, True, {}
    link, record = LINE.fullmatch(raw), members_of(raw)
    if link is None or record is None:
        return None
    prev = bytes.fromhex(link[4].decode())
    computed = hashlib.sha256(b"aegis-record-v1\x00" + prev + link[1]).digest()
    return link[2].decode(), int(link[3]), prev, computed, computed.hex() == link[5].decode(), record


def segments(folder: Path) -> list[Path]:
    """The files of a log, in order; of a segment that is there more than once, the plain one, then the compressed."""
    files: dict[str, Path] = {}
    for ending in (".enc", ".gz", ""):
        pattern = re.compile(rf"([0-9]{{8}})\.jsonl{re.escape(ending)}")
        files |= {match[1]: path for path in folder.iterdir() if (match := pattern.fullmatch(path.name))}
    return [path for _, path in sorted(files.items())]


def lines_of(
    folder: Path,
    faults: list[str],
    retired: int = 0,
    signed: Callable[[str, re.Match[str]], None] = lambda *_: None,
) -> Iterator[tuple[str, bytes | Unread]]:
    """The lines of a log behind so many segments and where they stand; of what cannot be expanded, the fault.

    Of an encrypted segment its records as the index has them; its head is given to `signed` behind the last of them.
    """
    for path in (path for path in segments(folder) if int(path.name[:8]) > retired):
        name = f"{folder.name}/{path.name[:8]}.jsonl"
        try:
            if path.suffix == ".enc":
                yield from unread_lines(path, name, signed)
                continue
            with path.open("rb") if path.suffix == ".jsonl" else gzip.open(path) as file:
                size = 0
                for number, raw in enumerate(iter(lambda: file.readline(MOST_BYTES), b""), start=1):
                    size += len(raw)
                    if path.suffix == ".gz" and size > MOST_BYTES:
                        raise EOFError(f"it holds more than {MOST_BYTES} bytes")
                    yield f"{name} line {number}", raw
        except (gzip.BadGzipFile, EOFError, zlib.error) as fault:
            faults.append(f"{name}: its compressed bytes cannot be expanded: {fault}")
        except ValueError as fault:
            faults.append(f"{name}: {fault}")


def unread_lines(
    path: Path, name: str, signed: Callable[[str, re.Match[str]], None]
) -> Iterator[tuple[str, bytes | Unread]]:
    """The records of an encrypted segment: seals and changes of key as they are. Raises ValueError."""
    with path.open("rb") as file:
        match = ENCRYPTED.match(file.read(MOST_HEAD).decode("utf-8", "replace"))
        if match is None:
            raise ValueError("it does not begin as an encrypted segment does")
        writer, number, last, prev = match[2], int(match[4]), int(match[5]), bytes.fromhex(match[6])
        if (writer, int(match[3])) != (path.parent.name, int(path.name[:8])):
            raise ValueError(f"it is segment {match[3]} of {writer}, encrypted")
        file.seek(len(match[0].encode()))
        index, bodies, size = file.read(min(int(match[7]), path.stat().st_size)), hashlib.sha256(), 0
        while block := file.read(1024 * 1024):
            bodies.update(block)
            size += len(block)
    if hashlib.sha256(index).hexdigest() != match[8]:
        raise ValueError("its index is not the one that was signed")
    if (size, bodies.hexdigest()) != (int(match[9]), match[10]):
        raise ValueError("its encrypted bodies are not those that were signed")
    for at, raw in enumerate(index.splitlines(keepends=True), start=1):
        place = f"{name} line {at}"
        if re.fullmatch(rb"[0-9a-f]{64}\n", raw):
            prev, before = bytes.fromhex(raw.decode()), prev
            yield place, Unread(writer, number, before, prev)
        elif (link := link_of(raw)) is not None:
            prev = link[3]
            yield place, raw
        else:
            raise ValueError(f"record {number} of its index is none")
        number += 1
    if number != last + 1:
        raise ValueError("its index has not as many records as its head says")
    signed(name, match)


def first_hashes(folder: Path) -> set[str]:
    """The hash of the first record of a log, as it is and as it states it."""
    raw = next((line for _, line in lines_of(folder, [])), b"")
    link = link_of(raw)
    if link is None:
        return set()
    stated = LINE.fullmatch(raw) if isinstance(raw, bytes) else None
    return {link[3].hex()} | ({stated[5].decode()} if stated else set())


def is_log(folder: Path) -> bool:
    """Whether a folder is that of one writer."""
    return any((folder / slot).exists() for slot in SLOTS) or bool(segments(folder))


def load_keys(path: Path) -> list[bytes]:
    """The raw public keys in a JWK, a set of them, or PEM. Raises ValueError."""
    text = path.read_text("utf-8")
    if text.lstrip().startswith("{"):
        content = json.loads(text)
        jwks = content.get("keys", [content])
        keys = [base64.urlsafe_b64decode(jwk["x"] + "==") for jwk in jwks if jwk.get("crv") == "Ed25519"]
        if not keys:
            raise ValueError(f"{path} holds no public Ed25519 key")
        return keys
    der = base64.b64decode("".join(line for line in text.splitlines() if not line.startswith("-----")))
    if not der.startswith(SPKI) or len(der) != len(SPKI) + 32:
        raise ValueError(f"{path} is no public Ed25519 key")
    return [der[len(SPKI) :]]


def proofs_hold(verifier: Verifier, proofs: list[Path], growth: list[Path] | None) -> int:
    """Say of each proof what it proves; returns the exit code. Raises OSError."""
    texts = {path: path.read_bytes().decode("utf-8", "replace") for path in (*proofs, *(growth or ()))}
    code = 0
    for path in (*proofs, *(growth or [])[:1]):
        try:
            proven = verifier.proof(texts[path]) if path in proofs else verifier.growth(texts[path], texts[growth[1]])  # type: ignore[index]
            print(f"{path.name}: proven: {proven}")
        except (ValueError, Foreign) as fault:
            print(f"{path.name}: NOT PROVEN: {fault}")
            code = 1
    return code


def main(words: Iterable[str] | None = None) -> int:
    """Verify as the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(description="Verify a folder of Aegis records.")
    parser.add_argument("records", type=Path, nargs="?")
    parser.add_argument("--key", type=Path, required=True, help="the public keys: JWK, JWK set or PEM")
    parser.add_argument("--anchors", type=Path, help="the control plane's anchors")
    parser.add_argument("--place", action="append", default=[], help="only anchors of writers that run there")
    parser.add_argument("--witness", action="append", default=[], help="the key of a witness that cosigned")
    parser.add_argument("--quorum", type=int, help="how many of them have to have; default: all")
    parser.add_argument("--sealed", action="store_true", help="sealed segments alone, as `aegis audit fetch` brings")
    parser.add_argument("--expect", type=Path, help="checkpoints kept elsewhere")
    parser.add_argument("--pure", action="store_true", help="use the Ed25519 of this file")
    parser.add_argument("--proof", type=Path, action="append", default=[], help="a .tlog-proof of one record")
    parser.add_argument("--growth", type=Path, nargs=2, metavar=("CONSISTENCY", "NOTE"), help="growth since a head")
    options = parser.parse_args(None if words is None else list(words))
    if options.records is None and not options.proof and not options.growth:
        parser.error("name a folder of records, --proof or --growth")
    if options.place and options.anchors is None:
        parser.error("--place narrows --anchors, which are not there")
    try:
        verify = pure_verify if options.pure else _library_verify()
        verifier = Verifier(load_keys(options.key), verify, options.sealed)
        if options.proof or options.growth:
            return proofs_hold(verifier, options.proof, options.growth)
        anchors, faults = ([], []) if options.anchors is None else read_anchors(options.anchors, options.place)
        expected = [] if options.expect is None else verifier.expected(options.expect)
        witnesses = list(dict.fromkeys(map(witness_of, options.witness)))
        if len({key for _, key in witnesses}) != len(witnesses):
            raise ValueError("two of the witnesses have one key")
        quorum = len(witnesses) if options.quorum is None else options.quorum
        if options.quorum is not None and not 1 <= quorum <= len(witnesses):
            raise ValueError(f"a quorum of {quorum} is asked for, and {len(witnesses)} witnesses are named")
        logs = verifier.folder(options.records, expected, anchors, faults)
        for log in logs if witnesses else []:
            place = options.records if is_log(options.records) else options.records / log.writer
            if log.is_proven and place.is_dir():
                verifier.hold_against(place, log, witnesses, quorum)
    except (OSError, ValueError, KeyError, Foreign) as fault:
        print(f"verify_records: {fault}", file=sys.stderr)
        return 2
    for log in logs:
        state = "proven" if log.is_proven else "NOT PROVEN" if log.is_foreign else "DAMAGED"
        retired = f", {log.retired} retired before" if log.retired else ""
        unread = f", {log.unread} encrypted: their hashes are proven, not what they say" if log.unread else ""
        print(f"{log.writer}: {state}, {log.records} records, {log.sealed} sealed{retired}{unread}")
        for fault in log.faults:
            print(f"  {fault}")
    if not logs:
        print("verify_records: no log is there", file=sys.stderr)
        return 2
    return 0 if all(log.is_proven for log in logs) else 1


if __name__ == "__main__":
    sys.exit(main())
