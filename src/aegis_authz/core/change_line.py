"""The change log of the control plane: who did what, when and why, each line bound to all before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from aegis_authz.core.units import Epoch

MOST_NOTE = 500
"""The most characters of why somebody does something: one line, which is shown whole wherever it is kept."""

FIRST_PREVIOUS = "0" * 64
"""What the first line has for the hash of the one before."""


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did. `action` is `noun:verb`, `subject` what it was done to, `domain` where that belongs."""

    at: Epoch
    person: str
    action: str
    subject: str
    domain: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """An act in its place: `number` counts from 1, and `hash` covers the act, the number and the `previous` hash."""

    number: int
    act: Act
    previous: str
    hash: str

    @staticmethod
    def after(number: int, previous: str, act: Act) -> ChangeLine:
        """The line of an act that follows the line of this number and hash; 0 and FIRST_PREVIOUS before the first."""
        return ChangeLine(number + 1, act, previous, _hash(number + 1, previous, act))


class ChangeLogAltered(Exception):
    """The lines are not those that were written; the message says where."""


def verify_lines(lines: Iterable[ChangeLine]) -> int:
    """Follow the chain from its first line; returns how many lines there are.

    What was cut off at the end is not seen: whoever cares keeps the last hash elsewhere. Raises ChangeLogAltered.
    """
    number, previous = 0, FIRST_PREVIOUS
    for line in lines:
        if line != ChangeLine.after(number, previous, line.act):
            raise ChangeLogAltered(f"line {number + 1} of the change log is not the line that was written")
        number, previous = line.number, line.hash
    return number


def _hash(number: int, previous: str, act: Act) -> str:
    members = [number, previous, float(act.at), act.person, act.action, act.subject, act.domain, act.reason]
    return hashlib.sha256(json.dumps(members, ensure_ascii=True, separators=(",", ":")).encode("ascii")).hexdigest()
