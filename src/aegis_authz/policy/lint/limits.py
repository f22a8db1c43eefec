"""Lints of limits: those that never bind, those that refuse every call, and those that do not do what they say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

from aegis_authz.core.limit import Budget, CalendarWindow, Count, Exceed, Flags, Limit, Period, Rate, Window
from aegis_authz.core.price import FixedPrice, ParameterPrice, Prices
from aegis_authz.policy.compile.limit_terms import basis_of, phrase, size
from aegis_authz.policy.compile.limits import CompiledLimit, LimitedCalls, limited_calls
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import Ground
from aegis_authz.policy.load import LoadedPolicy
from aegis_authz.policy.source.places import as_written
from aegis_authz.policy.source.problems import Problem, quoted

_HOUR = 3_600_000
_LONGEST = {Period.HOUR: _HOUR, Period.DAY: 25 * _HOUR, Period.WEEK: 169 * _HOUR, Period.MONTH: 745 * _HOUR}
"""How long a window of the calendar may be: on one day of the year a clock is put back."""


def limit_findings(ground: Ground) -> Iterator[Finding]:
    """Findings of the limits of rules and of documents."""
    policies = [(entry.loaded, limited_calls(entry.loaded.compiled)) for entry in ground.documents]
    flags = {
        flag
        for policy, listed in policies
        if policy.document.mode == "enforce"
        for calls in listed
        for compiled in calls.limits
        if isinstance(compiled.limit.terms, Flags)
        for flag in compiled.limit.terms.sets
    }
    for policy, listed in policies:
        for calls in listed:
            yield from _shadow(policy, calls)
            yield from _pairs(policy, calls)
            yield from _redactions(policy, calls)
            yield from _flags(policy, calls, flags)
            yield from _prices(policy, calls, ground)
    yield from _currencies(policies)


def _shadow(policy: LoadedPolicy, calls: LimitedCalls) -> Iterator[Finding]:
    if policy.document.mode == "shadow":
        for compiled in calls.limits:
            message = "never binds: the limits of a shadow document count nothing"
            yield finding_of("limit-never-binds", _problem(policy, calls, compiled, message))


def _pairs(policy: LoadedPolicy, calls: LimitedCalls) -> Iterator[Finding]:
    """Limits of the same calls, held against each other."""
    for first, second in permutations(calls.limits, 2):
        if first.limit.per is not second.limit.per or first.limit.on_exceed is not Exceed.DENY:
            continue
        reason = _binds_before(first.limit, second.limit)
        if reason:
            is_above = isinstance(second.limit.terms, Rate) and isinstance(first.limit.terms, Count)
            code = "rate-above-count" if is_above else "limit-never-binds"
            yield finding_of(code, _problem(policy, calls, second, f"never binds: {reason}"))


def _binds_before(first: Limit, second: Limit) -> str:
    """Why nothing that the first limit lets through is beyond the other; "" where something may be."""
    match first.terms, second.terms:
        case Rate(calls, per, burst), Count(most, window):
            longest = _longest(window)
            highest = burst + -(-longest * calls // per)
            return f"{phrase(first.terms)} are at most {highest} in its window" if most >= highest else ""
        case Count(most, window), Rate(_, _, burst):
            at_once = 2 * most if isinstance(window, CalendarWindow) else most
            return f"{phrase(first.terms)} are never more than {burst} at once" if burst >= at_once else ""
        case Rate(calls, _, burst), Rate(more, _, higher) if basis_of(first.terms) == basis_of(second.terms):
            return f"{phrase(first.terms)} is less" if calls <= more and burst <= higher and first != second else ""
        case Flags(), _:
            return ""
        case _:
            is_less = basis_of(first.terms) == basis_of(second.terms) and size(first.terms) < size(second.terms)
            return f"{phrase(first.terms)} is less" if is_less else ""


def _longest(window: Window) -> int:
    return _LONGEST[window.period] if isinstance(window, CalendarWindow) else window.length


def _redactions(policy: LoadedPolicy, calls: LimitedCalls) -> Iterator[Finding]:
    for compiled in calls.limits:
        if compiled.exceed is Exceed.SANITIZE and compiled.limit.on_exceed is not Exceed.SANITIZE:
            message = "denies beyond the limit: nothing beside it says what to redact; add sanitize: {...}"
            yield finding_of("exceed-without-redactions", _problem(policy, calls, compiled, message))


def _flags(policy: LoadedPolicy, calls: LimitedCalls, flags: set[str]) -> Iterator[Finding]:
    for compiled in calls.limits:
        if isinstance(compiled.limit.terms, Flags):
            for flag in sorted({*compiled.limit.terms.requires, *compiled.limit.terms.unless} - flags):
                effect = "always" if flag in compiled.limit.terms.requires else "never"
                message = f"no rule sets {quoted(flag)}, so that this {effect} refuses a call"
                yield finding_of("flag-never-set", _problem(policy, calls, compiled, message))


def _prices(policy: LoadedPolicy, calls: LimitedCalls, ground: Ground) -> Iterator[Finding]:
    loaded = ground.loaded
    for compiled in calls.limits:
        terms = compiled.limit.terms
        if not isinstance(terms, Budget) or terms.of is not None:
            continue
        for tool, action in _priced_calls(policy, calls, ground):
            pricing = loaded.prices.of(tool, action)
            label = f"{tool} {action}".strip()
            if pricing is None:
                message = f"{label} has no price, so that each call of it is denied; give the tool a cost"
                yield finding_of("budget-without-price", _problem(policy, calls, compiled, message))
                break
            currencies = _currencies_of(loaded.prices, pricing.price)
            if terms.currency not in currencies:
                prices = " or ".join(sorted(currencies)) or "nothing"
                message = f"{label} costs {prices} and its budget is in {terms.currency}, so that each call is denied"
                yield finding_of("currency-differs", _problem(policy, calls, compiled, message))
                break


def _currencies_of(prices: Prices, price: object) -> set[str]:
    if isinstance(price, FixedPrice | ParameterPrice):
        return {price.currency}
    return {model.currency for model in prices.models.values()}


def _priced_calls(policy: LoadedPolicy, calls: LimitedCalls, ground: Ground) -> Iterator[tuple[str, str]]:
    """The tools and actions that the document's own rules let through, of those the limit is about."""
    for compiled in policy.compiled.rules.allowing:
        rule, tool = compiled.rule, ground.loaded.known_tools.get(compiled.rule.name)
        if tool is None or (calls.tools and rule.name not in calls.tools):
            continue
        for action in _actions(rule.actions, tool.actions):
            if not calls.actions or ANY in calls.actions or action in calls.actions:
                yield rule.name, action


def _actions(listed: Sequence[str], declared: object) -> Sequence[str]:
    if ANY not in listed:
        return listed
    return sorted(declared) if isinstance(declared, dict) else [""]


def _currencies(policies: Sequence[tuple[LoadedPolicy, list[LimitedCalls]]]) -> Iterator[Finding]:
    """Budgets of one scope that sum the same calls in different currencies: one of them refuses each call."""
    scopes: dict[str, list[tuple[LoadedPolicy, LimitedCalls, CompiledLimit, Budget]]] = {}
    for policy, listed in policies:
        for calls in listed:
            for compiled in calls.limits:
                if isinstance(compiled.limit.terms, Budget):
                    entry = (policy, calls, compiled, compiled.limit.terms)
                    scopes.setdefault(policy.document.scope, []).append(entry)
    for budgets in scopes.values():
        for (_, calls, _, terms), (policy, others, compiled, rival) in combinations(budgets, 2):
            is_judged = terms.of == rival.of and (terms.of is None or terms.of.currency_parameter != "")
            if is_judged and terms.currency != rival.currency and _meet(calls, others):
                message = f"another budget of the same calls is in {terms.currency}: one of the two denies each call"
                yield finding_of("currency-differs", _problem(policy, others, compiled, message))


def _meet(first: LimitedCalls, second: LimitedCalls) -> bool:
    """Whether some call may meet both."""

    def overlap(names: tuple[str, ...], others: tuple[str, ...]) -> bool:
        return not names or not others or ANY in names or ANY in others or not set(names).isdisjoint(others)

    return overlap(first.tools, second.tools) and overlap(first.actions, second.actions)


def _problem(policy: LoadedPolicy, calls: LimitedCalls, compiled: CompiledLimit, message: str) -> Problem:
    source = policy.template if calls.origin and policy.template is not None else policy.source
    return source.problem(as_written(source.value, compiled.at), message)
