"""Lints of rules against each other: rules whose every call is denied, and rules that change no decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.lint.contradictions import contradictions
from aegis_authz.policy.lint.finding import Finding, found
from aegis_authz.policy.lint.ground import Ground, LintedDocument, LintedRule
from aegis_authz.policy.lint.together import Together, shared
from aegis_authz.policy.source.problems import quoted


def reach_findings(ground: Ground) -> Iterator[Finding]:
    """Enforcing documents are judged together, and so are shadow documents; one never decides about the other."""
    for mode in ("enforce", "shadow"):
        together = Together([one for one in ground.documents if one.document.mode == mode], ground.loaded.known_tools)
        allowing = [rule for one in together.documents for rule in one.allowing]
        denying = [rule for one in together.documents for rule in one.denying]
        dead = _concerned((rule, _denied(together, rule)) for rule in allowing)
        dead |= _concerned((rule, _abroad(together, one, rule)) for one in together.documents for rule in one.allowing)
        yield from _everywhere("unreachable-rule", allowing, dead)
        yield from _everywhere("shadowed-deny", denying, _concerned((rule, _idle(together, rule)) for rule in denying))
        yield from contradictions(together, dead)


def _concerned(said: Iterable[tuple[LintedRule, str | None]]) -> dict[LintedRule, str]:
    return {rule: why for rule, why in said if why is not None}


def _everywhere(code: str, rules: Iterable[LintedRule], concerned: Mapping[LintedRule, str]) -> Iterator[Finding]:
    """A finding for each rule that is concerned; for one of a template, only where it is so in all its documents."""
    spared = {rule.place for rule in rules if rule not in concerned}
    for rule, why in concerned.items():
        if rule.place not in spared:
            yield found(code, rule.problem((), why))


def _denied(together: Together, rule: LintedRule) -> str | None:
    """Why other rules deny every call that this one is about, None where one may pass."""
    deniers = together.deniers(rule.document.scope, rule.rule.name)
    wanted = set(together.actions_of(rule)) if deniers else {ANY}
    told = []
    for denier in deniers:
        taken = _taken(wanted, denier)
        if taken:
            wanted -= taken
            told.append(denier.told(rule.source))
        if not wanted:
            return f"every call is denied by {' and '.join(told)}"
    return None


def _abroad(together: Together, one: LintedDocument, rule: LintedRule) -> str | None:
    """Why no agent of the document reaches the tool: a document names its regions, and the tool is in none of them."""
    region = together.tools[rule.rule.name].tool.region
    for position in together.covering(one.document.scope):
        other = together.documents[position].document
        if other.regions is not None and region not in other.regions:
            where = f"in {quoted(region)}" if region else "in no region"
            return f"every call is denied: {rule.rule.name} is {where}, and {other.title} allows other regions alone"
    return None


def _idle(together: Together, rule: LintedRule) -> str | None:
    """Why a rule that denies changes no decision, None where it may."""
    scope, tool = rule.document.scope, rule.rule.name
    wanted = together.actions_of(rule)
    if not shared(wanted, together.allowed(scope, tool)):
        return "changes nothing: no rule allows this to any agent that the document covers"
    before = True
    for denier in together.deniers(scope, tool):
        before = before and denier is not rule
        if denier is rule or _taken(set(wanted), denier) != wanted:
            continue
        same = not rule.values and denier.document.scope == scope and together.actions_of(denier) == wanted
        # Of two that say the same, the document's own one can go before a template's, else the later one.
        kept = rule.inherited if rule.inherited != denier.inherited else not before
        if not (same and kept):
            return f"changes nothing: {denier.told(rule.source)} denies all of it"
    return None


def _taken(wanted: set[str], denier: LintedRule) -> set[str]:
    """Those of the actions that a rule without conditions denies."""
    return set(wanted) if ANY in denier.rule.actions else wanted.intersection(denier.rule.actions)
