"""Words a reader would expect to work and that do not: refused with a reason, so that nobody relies on them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aegis_authz.policy.language.circumstances import CONTEXT_WORDS
from aegis_authz.policy.language.operators import SHORT_FORMS

_LATER = "is not enforced yet, so it is refused instead of ignored"
_STRICTEST = "does not exist: the strictest answer always wins"
_DENIED = "is written as denied_tools: [{name: ..., actions: [...]}]"
_SPAN = "is written as conditions: {context: {time: {within: [{from: 2026-01-01, until: 2026-12-31}]}}}"
_SCHEMA = "is written as conditions: {schema: {...}}, or schema inside a parameter's conditions"
_APPROVERS = "is written as approval: {groups: [...]}"
_NOTIFY = (
    'is written as approval: {notify: ["slack:#finance"]} in a rule, '
    'or as notify: {reasons: [EGRESS_DENIED], by: ["slack:#security"]} in a document'
)
_SANITIZE = "is written as sanitize: {request: {...}, response: {...}}"

_PLACE = "in a rule of allowed_tools or in an entry of limits"
_BUDGET = f"is written as budget: 500 USD/day, {_PLACE}"
_RATE = f"is written as rate_limit: 3/s, {_PLACE}"
_COUNT = f"is written as count: 100/day, {_PLACE}"
_EXCEED = f"is written as on_exceed: approval_needed, {_PLACE}"
_LIMITS = (
    "is written as budget, rate_limit, count, distinct or concurrency, in a rule of allowed_tools or in limits: [...]"
)
_BREAKER = "is written as breaker: {refusals: 5, within: 60s, quarantine: 15m}, in a document"
_FLAGS = (
    "is written as sets: [flag], requires: [flag] or unless: [flag], in a rule of allowed_tools or an entry of limits"
)

_NOT_YET = """
    max_cost_per_call webhook webhooks
    inject injects injection inject_credential inject_credentials inject_secret inject_secrets inject_header
    credential credentials secret secrets
""".split()  # noqa: SIM905  # a list of quoted words is harder to read and to extend
_BUDGETS = """
    budgets spend spending spend_limit spend_limits max_spend cost_limit cost_limits max_cost daily_budget
""".split()  # noqa: SIM905  # the same
_RATES = """
    rate_limits rate_limiting ratelimit rate rates throttle throttling cooldown burst rps requests_per_second
    requests_per_minute requests_per_hour calls_per_second calls_per_minute calls_per_hour
""".split()  # noqa: SIM905  # the same
_COUNTS = """
    max_calls max_requests_total call_limit call_limits calls_per_day requests_per_day counts
""".split()  # noqa: SIM905  # the same

RESERVED: Mapping[str, str] = {
    **dict.fromkeys(_NOT_YET, _LATER),
    **dict.fromkeys(_BUDGETS, _BUDGET),
    **dict.fromkeys(_RATES, _RATE),
    **dict.fromkeys(_COUNTS, _COUNT),
    **dict.fromkeys(("on_exceeded", "on_limit", "on_breach", "exceed", "exceeded"), _EXCEED),
    **dict.fromkeys(("limit", "quota", "quotas"), _LIMITS),
    **dict.fromkeys(("circuit_breaker", "breakers", "quarantine_after"), _BREAKER),
    **dict.fromkeys(("flags", "set_flags", "require_flags", "forbids_flags"), _FLAGS),
    **dict.fromkeys(("priority", "priorities", "order", "weight", "precedence"), _STRICTEST),
    "effect": "does not exist: allowed_tools says what is allowed, denied_tools what is denied",
    "enabled": "does not exist: use mode: shadow to observe without enforcing, or remove the document",
    "disabled": "does not exist: use mode: shadow to observe without enforcing, or remove the document",
}
"""Words without a meaning at any place, and what is said of them."""

ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(("deny", "denied", "denies", "denied_actions", "deny_tools", "blocked_tools"), _DENIED),
    **{
        word: f"is written as conditions: {{context: {entry.example}}}"
        for entry in CONTEXT_WORDS.values()
        for word in entry.also
    },
    **dict.fromkeys(("valid_from", "valid_until", "valid", "expires", "expires_at", "not_before", "not_after"), _SPAN),
    **dict.fromkeys(("schema", "schemas", "json_schema"), _SCHEMA),
    **dict.fromkeys(("approver", "approvers"), _APPROVERS),
    **dict.fromkeys(("notify", "notification", "notifications", "alert", "alerts"), _NOTIFY),
    **dict.fromkeys(
        ("approval_required", "require_approval", "requires_approval", "approval_needed"),
        "is written as approval: {always: true}",
    ),
    "budget": _BUDGET,
    "rate_limit": _RATE,
    **dict.fromkeys(("count", "concurrency", "distinct", "limits"), _LIMITS),
    "on_exceed": _EXCEED,
    **dict.fromkeys(("sets", "requires", "unless"), _FLAGS),
    "breaker": _BREAKER,
    **dict.fromkeys(("redact", "redaction", "redactions", "mask", "sanitise"), _SANITIZE),
}
"""Words that have a meaning at another place, and where that is."""

_PER_TIME = re.compile(rf"(?:{'|'.join(SHORT_FORMS)})_(.+_per_(?:second|minute|hour|day|week|month|year))\Z")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def reserved(word: str) -> str | None:
    """What to say of a word that is kept back at every place, in any spelling; None for another word."""
    plain = _spelled(word)
    if plain in RESERVED:
        return RESERVED[plain]
    per_time = _PER_TIME.match(plain)
    if per_time is not None:
        return (
            "is written as budget: {amount: ..., currency: ..., per: day, of: {parameter: ...}} "
            f"(for a parameter of that name write parameters: {{{per_time[1]}: {{max: ...}}}})"
        )
    return None


def elsewhere(word: str) -> str | None:
    """Where a word is written that does not belong where it stands; None for a word with no other place."""
    return ELSEWHERE.get(_spelled(word))


def _spelled(word: str) -> str:
    return _HUMP.sub("_", word[:80]).replace("-", "_").lower()
