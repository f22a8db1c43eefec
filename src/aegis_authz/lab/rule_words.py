"""The rules that decide a call, in words by which flips are grouped."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.core.effect import Effect
from aegis_authz.core.refused import Refused
from aegis_authz.lab.explanation import Explanation, LookedAtDocument, LookedAtRule


def deciding_rules(explanation: Explanation) -> tuple[str, ...]:
    """The rules whose word the decision is, each with its document, its place and the conditions that failed.

    Where no rule has the word, the documents that decide, and that none of their rules lists the call; where there is
    no document either, the reason.
    """
    decision = explanation.decision
    if isinstance(decision, Refused):
        return (decision.reason.value,)
    return _rules(explanation, "enforce", decision.effect) or (decision.reason.value,)


def shadow_rules(explanation: Explanation, effect: Effect) -> tuple[str, ...]:
    """The rules of shadow documents that would have had that effect, in the same words; none where none would."""
    return _rules(explanation, "shadow", effect)


def _rules(explanation: Explanation, mode: str, effect: Effect) -> tuple[str, ...]:
    documents = [document for document in explanation.documents if document.mode == mode]
    return tuple(rule for document in documents for rule in _of_document(document, effect))


def _of_document(document: LookedAtDocument, effect: Effect) -> Iterator[str]:
    if document.outside:
        if effect is Effect.DENY:
            yield f"{document.name}: the tool is in none of its regions"
        return
    if not document.rules and effect is Effect.DENY:
        yield f"{document.name} ({document.path}:{document.line}): no rule lists it"
    for rule in document.rules:
        if rule.outcome == effect.value:
            yield _words(document.name, rule, effect)


def _words(name: str, rule: LookedAtRule, effect: Effect) -> str:
    failed = ""
    if effect in (Effect.DENY, Effect.APPROVAL_NEEDED) and not rule.denies:
        labels = [f"{check.parameter} {check.condition}" for check in rule.conditions if check.state == "failed"]
        failed = f" {', '.join(labels)}" if labels else ""
    return f"{name}: {rule.id}{failed} ({rule.path}:{rule.line})"
