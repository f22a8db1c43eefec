"""What one record's neighbourhood proves of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.evidence.chain import encode_record, genesis, link
from aegis_authz.evidence.checkpoint import Checkpoint
from aegis_authz.evidence.position import ChainPosition, Standing, chain_position
from aegis_authz.evidence.tombstone import Tombstone
from tests.support.made_records import DENIED

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32).public_key().public_bytes_raw()


def chained(count: int, writer: str = "authz-0", key: bytes = KEY) -> tuple[list[bytes], list[bytes]]:
    """The lines of a log, and their hashes."""
    lines, heads = [], [genesis(writer, key)]
    for number in range(1, count + 1):
        line, head = link(writer, number, heads[-1], encode_record(replace(DENIED, decision_id=f"d-{number}")))
        lines.append(line)
        heads.append(head)
    return lines, heads[1:]


LINES, HEADS = chained(6)
SEAL = Checkpoint("authz-0", 5, HEADS[4])


def position(number: int, lines: list[bytes] = LINES, seals: tuple[Checkpoint, ...] = (SEAL,)) -> ChainPosition:
    """The position of the record of that number, from 1, in a log of these lines."""
    before = lines[number - 2] if number > 1 else None
    return chain_position("authz-0", lines[number - 1], before, lines[number:], seals, [KEY], None)


def changed(number: int, old: bytes, new: bytes) -> list[bytes]:
    """The lines, one of which was altered."""
    return [line.replace(old, new) if at == number else line for at, line in enumerate(LINES, start=1)]


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_record_whose_links_lead_to_a_checkpoint_is_proven(number: int) -> None:
    proven = position(number)
    assert (proven.standing, proven.seq, proven.sealed) == (Standing.PROVEN, number, 5)
    assert proven.hash == HEADS[number - 1].hex()


def test_a_record_behind_every_checkpoint_is_not_sealed_yet() -> None:
    assert position(6).standing is Standing.UNSEALED
    assert position(3, seals=()).standing is Standing.UNSEALED


def test_a_checkpoint_that_is_too_far_on_is_named_and_nothing_is_said_to_be_proven() -> None:
    far = position(2, seals=(Checkpoint("authz-0", 9_000, bytes(32)),))
    assert far.standing is Standing.LINKED
    assert "9000" in far.words


@pytest.mark.parametrize(
    ("lines", "number", "words"),
    [
        (changed(3, b"deny", b"allow"), 3, "its bytes do not match its hash"),
        (changed(2, b"deny", b"allow"), 3, "record before it do not match"),
        (changed(4, b"deny", b"allow"), 3, "record 4, behind it, does not continue"),
        (changed(4, b"{", b"["), 3, "record 4, behind it, is not readable"),
        (changed(2, b"{", b"["), 3, "what stands before it is not a readable record"),
        (changed(3, b"{", b"["), 3, "it is not a readable record"),
        (LINES[:4], 3, "record 5 is sealed and not there: the log was truncated"),
        ([LINES[0], *LINES[2:]], 2, "it does not continue the record before it"),
        (chained(6, key=bytes(32))[0], 1, "does not begin the log as it must"),
        (chained(6, writer="authz-1")[0], 3, "it belongs to the log of authz-1"),
        (chained(6, key=bytes(32))[0], 3, "the checkpoint of 5 records seals another log"),
    ],
)
def test_a_log_that_was_touched_beside_the_record_is_broken(lines: list[bytes], number: int, words: str) -> None:
    broken = position(number, lines)
    assert broken.standing is Standing.BROKEN
    assert words in broken.words


def test_a_record_without_the_one_before_it_is_broken() -> None:
    alone = chain_position("authz-0", LINES[2], None, LINES[3:], [SEAL], [KEY], None)
    assert (alone.standing, alone.words) == (Standing.BROKEN, "record 2, which it continues, is not there")


def test_a_record_behind_a_tombstone_continues_what_was_retired_before_it() -> None:
    stone = Tombstone("authz-0", 1, 2, HEADS[1], HEADS[0].hex(), 1, 1, ((0, KEY),), ())
    behind = chain_position("authz-0", LINES[2], None, LINES[3:], [SEAL], [KEY], stone)
    assert behind.standing is Standing.PROVEN
    another = replace(stone, head=HEADS[2])
    broken = chain_position("authz-0", LINES[2], None, LINES[3:], [SEAL], [KEY], another)
    assert (broken.standing, broken.words) == (
        Standing.BROKEN,
        "it does not continue the records that were retired before it",
    )
