"""Lints of rules against each other: rules whose every call is denied, and rules that change no decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.lint.contradictions import contradictions
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import Ground, LintedDocument, LintedRule
from aegis_authz.policy.lint.neighbours import Neighbours, shared
from aegis_authz.policy.source.problems import quoted


def reach_findings(ground: Ground) -> Iterator[Finding]:
    """Enforcing documents are judged together, and so are shadow documents; one never decides about the other."""
    for mode in ("enforce", "shadow"):
        neighbours = Neighbours(
            [entry for entry in ground.documents if entry.document.mode == mode], ground.loaded.known_tools
        )
        allowing = [rule for entry in neighbours.documents for rule in entry.allowing]
        denying = [rule for entry in neighbours.documents for rule in entry.denying]
        dead = _concerned((rule, _denied(neighbours, rule)) for rule in allowing)
        dead |= _concerned(
            (rule, _outside_regions(neighbours, entry, rule))
            for entry in neighbours.documents
            for rule in entry.allowing
        )
        yield from _everywhere("unreachable-rule", allowing, dead)
        yield from _everywhere(
            "shadowed-deny", denying, _concerned((rule, _idle(neighbours, rule)) for rule in denying)
        )
        yield from contradictions(neighbours, dead)


def _concerned(verdicts: Iterable[tuple[LintedRule, str | None]]) -> dict[LintedRule, str]:
    return {rule: why for rule, why in verdicts if why is not None}


def _everywhere(code: str, rules: Iterable[LintedRule], concerned: Mapping[LintedRule, str]) -> Iterator[Finding]:
    """A finding for each rule that is concerned; for one of a template, only where it is so in all its documents."""
    spared = {rule.place for rule in rules if rule not in concerned}
    for rule, why in concerned.items():
        if rule.place not in spared:
            yield finding_of(code, rule.problem((), why))


def _denied(neighbours: Neighbours, rule: LintedRule) -> str | None:
    """Why other rules deny every call that this one is about, None where one may pass."""
    deniers = neighbours.deniers(rule.document.scope, rule.rule.name)
    actions = set(neighbours.actions_of(rule)) if deniers else {ANY}
    citations = []
    for denier in deniers:
        share = _denied_actions(actions, denier)
        if share:
            actions -= share
            citations.append(denier.citation(rule.source))
        if not actions:
            return f"every call is denied by {' and '.join(citations)}"
    return None


def _outside_regions(neighbours: Neighbours, entry: LintedDocument, rule: LintedRule) -> str | None:
    """Why no agent of the document reaches the tool: a document names its regions, and the tool is in none of them."""
    region = neighbours.tools[rule.rule.name].tool.region
    for position in neighbours.covering(entry.document.scope):
        document = neighbours.documents[position].document
        if document.regions is not None and region not in document.regions:
            where = f"in {quoted(region)}" if region else "in no region"
            return f"every call is denied: {rule.rule.name} is {where}, and {document.title} allows other regions alone"
    return None


def _idle(neighbours: Neighbours, rule: LintedRule) -> str | None:
    """Why a rule that denies changes no decision, None where it may."""
    scope, tool = rule.document.scope, rule.rule.name
    actions = neighbours.actions_of(rule)
    if not shared(actions, neighbours.allowed(scope, tool)):
        return "changes nothing: no rule allows this to any agent that the document covers"
    before = True
    for denier in neighbours.deniers(scope, tool):
        before = before and denier is not rule
        if denier is rule or _denied_actions(set(actions), denier) != actions:
            continue
        same = not rule.values and denier.document.scope == scope and neighbours.actions_of(denier) == actions
        # Of two that say the same, the document's own one can go before a template's, else the later one.
        stays = rule.inherited if rule.inherited != denier.inherited else not before
        if not (same and stays):
            return f"changes nothing: {denier.citation(rule.source)} denies all of it"
    return None


def _denied_actions(actions: set[str], denier: LintedRule) -> set[str]:
    """Those of the actions that a rule without conditions denies."""
    return set(actions) if ANY in denier.rule.actions else actions.intersection(denier.rule.actions)
