"""Words a reader would expect to work and that do not: refused with a reason, so that nobody relies on them."""

from __future__ import annotations

from collections.abc import Mapping

_LATER = "is not enforced by this version, so it is refused instead of ignored"
_STRICTEST = "does not exist: the strictest answer always wins"

RESERVED: Mapping[str, str] = {
    "budget": _LATER,
    "budgets": _LATER,
    "rate_limit": _LATER,
    "rate_limits": _LATER,
    "limits": _LATER,
    "quota": _LATER,
    "on_exceed": _LATER,
    "max_calls": _LATER,
    "max_spend": _LATER,
    "window": _LATER,
    "time_window": _LATER,
    "time_windows": _LATER,
    "schedule": _LATER,
    "valid_from": _LATER,
    "valid_until": _LATER,
    "environment": _LATER,
    "environments": _LATER,
    "delegation": _LATER,
    "source": _LATER,
    "sources": _LATER,
    "json_schema": _LATER,
    "schema": _LATER,
    "notify": _LATER,
    "inject": _LATER,
    "credentials": _LATER,
    "priority": _STRICTEST,
    "order": _STRICTEST,
    "weight": _STRICTEST,
    "effect": "does not exist: a listed action is allowed within its conditions and everything else is denied",
    "deny": "does not exist: everything not listed in allowed_tools is denied",
    "denied_tools": "does not exist: everything not listed in allowed_tools is denied",
    "denied_actions": "does not exist: everything not listed in actions is denied",
    "enabled": "does not exist: use mode: shadow to observe without enforcing, or remove the document",
    "approval_required": "does not exist: use approval: {always: true}",
}
