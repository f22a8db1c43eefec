from __future__ import annotations

from dataclasses import replace

import pytest

from aegis_authz.core.anchor import FIRST_PREVIOUS, Anchor, Head
from aegis_authz.core.units import Epoch

HEAD = Head("gw-0", "authz-0", "ab" * 32, 7, "a note\n")
FIRST = Anchor.after(0, FIRST_PREVIOUS, Epoch(1000.5), HEAD)


def test_the_first_anchor_has_the_number_one_and_no_hash_before_it() -> None:
    assert (FIRST.number, FIRST.previous) == (1, FIRST_PREVIOUS)


@pytest.mark.parametrize(
    "head",
    [
        replace(HEAD, place="gw-1"),
        replace(HEAD, writer="authz-1"),
        replace(HEAD, first="cd" * 32),
        replace(HEAD, size=8),
        replace(HEAD, note="another\n"),
    ],
)
def test_the_hash_covers_every_member_of_the_head(head: Head) -> None:
    assert Anchor.after(0, FIRST_PREVIOUS, Epoch(1000.5), head).hash != FIRST.hash


def test_the_hash_covers_the_time_the_number_and_the_one_before() -> None:
    others = {
        Anchor.after(0, FIRST_PREVIOUS, Epoch(1001.5), HEAD).hash,
        Anchor.after(1, FIRST_PREVIOUS, Epoch(1000.5), HEAD).hash,
        Anchor.after(0, FIRST.hash, Epoch(1000.5), HEAD).hash,
    }
    assert len(others | {FIRST.hash}) == 4
