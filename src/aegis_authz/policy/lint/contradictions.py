"""Pairs of rules for one call that contradict each other, so that a call that both are about is always denied."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aegis_authz.policy.compile.conditions import ValueConditions
from aegis_authz.policy.language.rule import Approval, ToolRule
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.lint.clashes import clash
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import LintedRule
from aegis_authz.policy.lint.neighbours import Neighbours, shared
from aegis_authz.policy.source.problems import quoted
from aegis_authz.policy.source.reader import Location

_Header = tuple[str, str, str]
_BLOCK = 128  # rules that are looked at together before they are looked at one by one


def contradictions(neighbours: Neighbours, dead: Collection[LintedRule]) -> Iterator[Finding]:
    """Told at the rule that is not a template's, else at the later one. Those that are `dead` anyhow are left out."""
    pairs = _Pairs(neighbours, dead)
    reports: set[tuple[tuple[int, Location], str]] = set()
    for rule, rival, code, why in pairs.contradicting():
        at, opposite = (rival, rule) if rule.inherited and not rival.inherited else (rule, rival)
        if (at.place, code) not in reports:
            reports.add((at.place, code))
            yield finding_of(code, at.problem((), _sentence(at, opposite, why)))


def _sentence(rule: LintedRule, rival: LintedRule, why: str) -> str:
    if rule is rival:
        return f"no call can meet its conditions: {why}"
    return f"contradicts {rival.citation(rule.source)}: {why}"


@dataclass
class _Pairs:
    """Looks at pairs only where all rules for an action, taken together, leave no call: mostly they leave some."""

    neighbours: Neighbours
    dead: Collection[LintedRule]
    _suspect: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    _clashes: dict[tuple[int, int], str | None] = field(default_factory=dict)

    def contradicting(self) -> Iterator[tuple[LintedRule, LintedRule, str, str]]:
        """The later rule, the earlier one or itself, the code and the reason; of each rule only the first pair."""
        for place, entry in enumerate(self.neighbours.documents):
            for rule in entry.allowing:
                if rule not in self.dead:
                    contradiction = next(self._against(rule, place), None)
                    if contradiction is not None:
                        yield rule, *contradiction

    def _against(self, rule: LintedRule, place: int) -> Iterator[tuple[LintedRule, str, str]]:
        """Every earlier rule that this one contradicts, with the code and the reason."""
        earlier = self._earlier(rule, place)
        for begin in range(0, len(earlier), _BLOCK):
            block = earlier[begin : begin + _BLOCK]
            if len(block) > 1 and not _contradict([rule, *block]):
                continue
            for rival in block:
                why = self._of_conditions(rule, rival)
                if why is not None:
                    yield rival, "unreachable-rule" if rule.document is rival.document else "conflict", why
                elif rule is not rival and (why := _of_demands([rule, rival])) is not None:
                    yield rival, "conflict", why

    def _earlier(self, rule: LintedRule, place: int) -> list[LintedRule]:
        """The rules up to this one, itself among them, that are for a suspect action that it is for, too."""
        scope, tool = rule.document.scope, rule.rule.name
        suspects, actions = self._suspects(scope, tool), self.neighbours.actions_of(rule)
        suspected = suspects if ANY in actions else suspects & actions
        earlier: list[LintedRule] = []
        for position in self.neighbours.near(scope) if suspected else ():
            if position > place:
                break
            for candidate in self.neighbours.allowing(position, tool):
                if candidate not in self.dead and shared(suspected, self.neighbours.actions_of(candidate)):
                    earlier.append(candidate)
                if candidate is rule:
                    break
        return earlier

    def _suspects(self, scope: str, tool: str) -> frozenset[str]:
        """The actions for which all rules near the scope, taken together, contradict each other."""
        key = scope, tool
        if key not in self._suspect:
            rules = list(self.neighbours.all_allowing(scope, tool))
            about = [(rule, self.neighbours.actions_of(rule)) for rule in rules]
            actions = {action for _, listed in about for action in listed}
            self._suspect[key] = frozenset(
                action
                for action in actions
                if _contradict([rule for rule, listed in about if action in listed or ANY in listed])
            )
        return self._suspect[key]

    def _of_conditions(self, left: LintedRule, right: LintedRule) -> str | None:
        """Remembered by conditions: documents of a template share theirs."""
        key = id(left.values), id(right.values)
        if key not in self._clashes:
            self._clashes[key] = _of_conditions([left, right])
        return self._clashes[key]


def _contradict(rules: Sequence[LintedRule]) -> bool:
    return _of_conditions(rules) is not None or _of_demands(rules) is not None


def _of_conditions(rules: Sequence[LintedRule]) -> str | None:
    """Why no call meets the conditions of all, None where one may."""
    by_path: dict[tuple[str, tuple[str, ...]], list[ValueConditions]] = {}
    for rule in rules:
        for value in rule.values:
            by_path.setdefault((value.of, value.path), []).append(value)
    for values in by_path.values():
        why = clash(values)
        if why is not None:
            return f"{values[0].label} {why}"
    return None


def _of_demands(rules: Sequence[LintedRule]) -> str | None:
    """Why what rules demand cannot be done together: headers, or whose approval is needed."""
    headers: dict[str, _Header] = {}
    for rule in rules:
        for name, value in _headers(rule).items():
            if headers.setdefault(name, value) != value:
                return f"both set the header {quoted(name)}, to different values"
    approvers = [groups for rule in rules if (groups := _approvers(rule))]
    if approvers and not frozenset.intersection(*approvers):
        names = [", ".join(map(quoted, sorted(groups))) for groups in (approvers[0], approvers[-1])]
        return (
            f"one asks for the approval of {names[0]}, the other for that of {names[1]}: no group is common, "
            "and a call that needs both is denied"
        )
    return None


def _headers(rule: LintedRule) -> Mapping[str, _Header]:
    tool_rule = rule.rule
    if not isinstance(tool_rule, ToolRule) or tool_rule.obligations is None:
        return {}
    plain = {header.name: ("value", header.value, "") for header in tool_rule.obligations.set_headers}
    secret = {
        injection.header: ("credential", injection.credential, injection.prefix)
        for injection in tool_rule.obligations.inject_credentials
    }
    return {**plain, **secret}


def _approvers(rule: LintedRule) -> frozenset[str]:
    """Whose approval a rule asks for, empty where it asks for none or for anybody's."""
    tool_rule = rule.rule
    if not isinstance(tool_rule, ToolRule):
        return frozenset()
    approval = tool_rule.approval or Approval()
    return frozenset(approval.groups) if rule.compiled.asks or approval.always else frozenset()
