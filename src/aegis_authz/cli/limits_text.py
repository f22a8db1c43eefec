"""How limits read for people."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from aegis_authz.api.limits import LimitAnswer
from aegis_authz.cli.audit_text import printable
from aegis_authz.core.money import decimal_text

_COLUMNS = ("limit", "policy", "of", "used", "left", "all", "resets")


def limits_table(limits: Sequence[LimitAnswer]) -> Iterator[str]:
    """One line a limit, in columns; a sentence where there is none."""
    if not limits:
        yield "no limit covers this agent"
        return
    rows = [_COLUMNS, *map(_row, limits)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def limit_sentence(limit: LimitAnswer) -> str:
    """How a limit stands, as part of a line about it."""
    total, left, of = _amounts(limit)
    return f"{total} of {of} used, {left} left" + (f", resets {_resets(limit)}" if limit.resets_at else "")


def _row(limit: LimitAnswer) -> tuple[str, ...]:
    total, left, of = _amounts(limit)
    resets = _resets(limit) if limit.resets_at else "-"
    return (printable(limit.name), printable(limit.policy), printable(limit.holder), of, total, left, resets)


def _amounts(limit: LimitAnswer) -> tuple[str, str, str]:
    return _amount(limit, limit.used), _amount(limit, limit.left), _amount(limit, limit.of)


def _resets(limit: LimitAnswer) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(limit.resets_at))


def _amount(limit: LimitAnswer, amount: int) -> str:
    return f"{decimal_text(amount)} {limit.currency}" if limit.currency else str(amount)
