"""How limits stand, as rows of a page."""

from __future__ import annotations

from aegis_authz.api.limits import LimitAnswer
from aegis_authz.core.money import decimal_text
from aegis_authz.notices.words import ascii_line

_WHOLE = 100


def limit_row(limit: LimitAnswer) -> dict[str, object]:
    """One limit: what is used of it and left; `share` is the part that is used, in hundredths."""
    share = min(_WHOLE, limit.used * _WHOLE // limit.of) if limit.of else _WHOLE
    return {
        "name": ascii_line(limit.name),
        "policy": ascii_line(limit.policy),
        "holder": ascii_line(limit.holder),
        "kind": limit.kind,
        "used": amount_text(limit.used, limit.currency),
        "left": amount_text(limit.left, limit.currency),
        "of": amount_text(limit.of, limit.currency),
        "share": share,
        "is_over": limit.left <= 0 and limit.of > 0,
        "resets_at": limit.resets_at,
        "on_exceed": limit.on_exceed,
    }


def amount_text(amount: int, currency: str) -> str:
    """An amount as people write it: money in units of its currency, all else as a number."""
    return f"{decimal_text(amount)} {currency}" if currency else f"{amount}"
