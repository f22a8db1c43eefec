"""Pairs of rules for one call that contradict each other, so that a call that both are about is always denied."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aegis_authz.policy.compile.conditions import ValueConditions
from aegis_authz.policy.language.rule import Approval, ToolRule
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.lint.clashes import clash
from aegis_authz.policy.lint.finding import Finding, found
from aegis_authz.policy.lint.ground import LintedRule
from aegis_authz.policy.lint.together import Together, shared
from aegis_authz.policy.source.problems import quoted
from aegis_authz.policy.source.reader import Location

_Header = tuple[str, str, str]
_BLOCK = 128  # rules that are looked at together before they are looked at one by one


def contradictions(together: Together, dead: Collection[LintedRule]) -> Iterator[Finding]:
    """Told at the rule that is not a template's, else at the later one. Those that are `dead` anyhow are left out."""
    pairs = _Pairs(together, dead)
    told: set[tuple[tuple[int, Location], str]] = set()
    for rule, other, code, why in pairs.contradicting():
        at, opposite = (other, rule) if rule.inherited and not other.inherited else (rule, other)
        if (at.place, code) not in told:
            told.add((at.place, code))
            yield found(code, at.problem((), _told(at, opposite, why)))


def _told(rule: LintedRule, other: LintedRule, why: str) -> str:
    if rule is other:
        return f"no call can meet its conditions: {why}"
    return f"contradicts {other.told(rule.source)}: {why}"


@dataclass
class _Pairs:
    """Looks at pairs only where all rules for an action, taken together, leave no call: mostly they leave some."""

    together: Together
    dead: Collection[LintedRule]
    _suspect: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    _known: dict[tuple[int, int], str | None] = field(default_factory=dict)

    def contradicting(self) -> Iterator[tuple[LintedRule, LintedRule, str, str]]:
        """The later rule, the earlier one or itself, the code and the reason; of each rule only the first pair."""
        for place, one in enumerate(self.together.documents):
            for rule in one.allowing:
                if rule not in self.dead:
                    found = next(self._against(rule, place), None)
                    if found is not None:
                        yield rule, *found

    def _against(self, rule: LintedRule, place: int) -> Iterator[tuple[LintedRule, str, str]]:
        """Every earlier rule that this one contradicts, with the code and the reason."""
        earlier = self._earlier(rule, place)
        for begin in range(0, len(earlier), _BLOCK):
            block = earlier[begin : begin + _BLOCK]
            if len(block) > 1 and not _contradict([rule, *block]):
                continue
            for other in block:
                why = self._of_conditions(rule, other)
                if why is not None:
                    yield other, "unreachable-rule" if rule.document is other.document else "conflict", why
                elif rule is not other and (why := _of_demands([rule, other])) is not None:
                    yield other, "conflict", why

    def _earlier(self, rule: LintedRule, place: int) -> list[LintedRule]:
        """The rules up to this one, itself among them, that are for a suspect action that it is for, too."""
        scope, tool = rule.document.scope, rule.rule.name
        wanted, actions = self._suspects(scope, tool), self.together.actions_of(rule)
        suspected = wanted if ANY in actions else wanted & actions
        earlier: list[LintedRule] = []
        for position in self.together.near(scope) if suspected else ():
            if position > place:
                break
            for other in self.together.allowing(position, tool):
                if other not in self.dead and shared(suspected, self.together.actions_of(other)):
                    earlier.append(other)
                if other is rule:
                    break
        return earlier

    def _suspects(self, scope: str, tool: str) -> frozenset[str]:
        """The actions for which all rules near the scope, taken together, contradict each other."""
        key = scope, tool
        if key not in self._suspect:
            rules = list(self.together.all_allowing(scope, tool))
            about = [(rule, self.together.actions_of(rule)) for rule in rules]
            actions = {action for _, listed in about for action in listed}
            self._suspect[key] = frozenset(
                action
                for action in actions
                if _contradict([rule for rule, listed in about if action in listed or ANY in listed])
            )
        return self._suspect[key]

    def _of_conditions(self, one: LintedRule, other: LintedRule) -> str | None:
        """Remembered by conditions: documents of a template share theirs."""
        key = id(one.values), id(other.values)
        if key not in self._known:
            self._known[key] = _of_conditions([one, other])
        return self._known[key]


def _contradict(rules: Sequence[LintedRule]) -> bool:
    return _of_conditions(rules) is not None or _of_demands(rules) is not None


def _of_conditions(rules: Sequence[LintedRule]) -> str | None:
    """Why no call meets the conditions of all, None where one may."""
    asked: dict[tuple[str, tuple[str, ...]], list[ValueConditions]] = {}
    for rule in rules:
        for value in rule.values:
            asked.setdefault((value.of, value.path), []).append(value)
    for values in asked.values():
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
    asked = [groups for rule in rules if (groups := _asked(rule))]
    if asked and not frozenset.intersection(*asked):
        shown = [", ".join(map(quoted, sorted(groups))) for groups in (asked[0], asked[-1])]
        return (
            f"one asks for the approval of {shown[0]}, the other for that of {shown[1]}: no group is common, "
            "and a call that needs both is denied"
        )
    return None


def _headers(rule: LintedRule) -> Mapping[str, _Header]:
    given = rule.rule
    if not isinstance(given, ToolRule) or given.obligations is None:
        return {}
    plain = {one.name: ("value", one.value, "") for one in given.obligations.set_headers}
    secret = {one.header: ("credential", one.credential, one.prefix) for one in given.obligations.inject_credentials}
    return {**plain, **secret}


def _asked(rule: LintedRule) -> frozenset[str]:
    """Whose approval a rule asks for, empty where it asks for none or for anybody's."""
    given = rule.rule
    if not isinstance(given, ToolRule):
        return frozenset()
    approval = given.approval or Approval()
    return frozenset(approval.groups) if rule.compiled.asks or approval.always else frozenset()
