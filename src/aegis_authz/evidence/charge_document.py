"""What calls used of limits, as JSON objects of their records."""

from __future__ import annotations

from aegis_authz.core.json_value import Json
from aegis_authz.core.record import ChargeRecord
from aegis_authz.encoding.narrowing import integer, members, number, text

_TEXTS = ("limit", "name", "policy", "holder", "kind", "currency", "excess", "on_exceed")


def charge_to_json(charge: ChargeRecord) -> Json:
    """The members in their fixed order."""
    limit, name, policy, holder, kind, currency, amount, used, left, of, resets_at, excess, on_exceed = charge
    return {  # written out: `_asdict` takes half as long again
        "limit": limit,
        "name": name,
        "policy": policy,
        "holder": holder,
        "kind": kind,
        "currency": currency,
        "amount": amount,
        "used": used,
        "left": left,
        "of": of,
        "resets_at": resets_at,
        "excess": excess,
        "on_exceed": on_exceed,
    }


def charge_from_json(data: Json) -> ChargeRecord:
    """Read what `charge_to_json` wrote. Raises ValueError for anything else."""
    entry = members(data, {*ChargeRecord._fields}, "a charge")
    return ChargeRecord(
        amount=integer(entry["amount"], "amount"),
        used=integer(entry["used"], "used"),
        left=integer(entry["left"], "left"),
        of=integer(entry["of"], "of"),
        resets_at=number(entry["resets_at"], "resets_at"),
        **{name: text(entry[name], name) for name in _TEXTS},
    )
