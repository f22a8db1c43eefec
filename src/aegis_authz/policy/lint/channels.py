"""Lints of the places where people learn of calls: those that no channel of the control plane has."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.core.notice import ChannelPlaces
from aegis_authz.policy.language.rule import ToolRule
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import Ground, LintedDocument, LintedRule

_CODE = "unknown-channel"


def channel_findings(ground: Ground) -> Iterator[Finding]:
    """Findings of places, where it is known which there are.

    A held call is decided on its page all the same, so that nobody being told of it is a warning.
    """
    if ground.places is None:
        return
    for entry in ground.documents:
        yield from _of_document(entry, ground.places)
    for rule in ground.rules():
        yield from _of_rule(rule, ground.places)


def _of_document(entry: LintedDocument, places: ChannelPlaces) -> Iterator[Finding]:
    notify = entry.document.notify
    for position, place in enumerate(() if notify is None else notify.by):
        if fault := places.fault(place):
            yield finding_of(_CODE, entry.loaded.source.problem(("notify", "by", position), fault))


def _of_rule(rule: LintedRule, places: ChannelPlaces) -> Iterator[Finding]:
    approval = rule.rule.approval if isinstance(rule.rule, ToolRule) else None
    for place in () if approval is None else approval.notify:
        if fault := places.fault(place):
            yield finding_of(_CODE, rule.problem(("approval", "notify"), fault), "warning")
