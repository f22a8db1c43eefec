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
_SANITIZE = "is written as sanitize: {request: {...}, response: {...}}"

_NOT_YET = """
    budget budgets spend spending spend_limit spend_limits max_spend cost_limit cost_limits max_cost_per_call
    rate_limit rate_limits rate_limiting ratelimit rate limit limits quota quotas throttle throttling
    max_calls max_requests_total call_limit call_limits calls_per_minute calls_per_hour calls_per_day
    requests_per_minute requests_per_hour requests_per_day
    on_exceed on_exceeded on_limit on_breach burst cooldown
    notify notification notifications alert alerts webhook webhooks
    inject injects injection inject_credential inject_credentials inject_secret inject_secrets inject_header
    credential credentials secret secrets
""".split()  # noqa: SIM905  # a list of quoted words is harder to read and to extend

RESERVED: Mapping[str, str] = {
    **dict.fromkeys(_NOT_YET, _LATER),
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
    **dict.fromkeys(
        ("approval_required", "require_approval", "requires_approval", "approval_needed"),
        "is written as approval: {always: true}",
    ),
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
        return f"{_LATER} (for a parameter of that name write parameters: {{{per_time[1]}: {{max: ...}}}})"
    return None


def elsewhere(word: str) -> str | None:
    """Where a word is written that does not belong where it stands; None for a word with no other place."""
    return ELSEWHERE.get(_spelled(word))


def _spelled(word: str) -> str:
    return _HUMP.sub("_", word[:80]).replace("-", "_").lower()
