"""What a reason means and what somebody can do about it, as docs/reasons.md says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from aegis_authz.core.reason import REASONS, Reason

_PAGE = "reasons.md"
_CHECKOUT = Path(__file__).resolve().parents[3] / "docs" / _PAGE
_ROW = re.compile(r"^\| `([A-Z_]+)` \| (.*) \|$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Advice:
    """A reason in words: the sentence its caller gets, who causes it, what to do, and whether to try again."""

    reason: Reason
    sentence: str
    cause: str
    remedy: str
    retry: str


def advice(reason: Reason) -> Advice:
    """What the page and the table say of a reason."""
    spec = REASONS[reason]
    cause, remedy = _page()[reason.value]
    return Advice(reason, spec.text, cause, remedy, spec.retry.value)


@cache
def _page() -> Mapping[str, tuple[str, str]]:
    rows = _ROW.finditer(_place().read_text(encoding="utf-8"))
    cells = {row[1]: row[2].split(" | ") for row in rows}
    return {code: (_plain(row[3]), _plain(row[4])) for code, row in cells.items()}


def _plain(text: str) -> str:
    return _LINK.sub(r"\1", text).replace("`", "")


def _place() -> Traversable:
    packaged = files("aegis_authz") / "_docs" / _PAGE
    return packaged if packaged.is_file() else _CHECKOUT
