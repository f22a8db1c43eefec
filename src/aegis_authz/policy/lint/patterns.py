"""Lints of `matches`: patterns that match too much, nothing, or not what they look like."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis_authz.policy.language.operators import Operand, words_with
from aegis_authz.policy.lint.codes import Severity
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import Ground
from aegis_authz.policy.lint.pattern_shapes import matches_everything, matches_nothing, unanchored
from aegis_authz.policy.source.places import inside
from aegis_authz.policy.source.problems import Problem, quoted

_ENDINGS = (
    "com|org|net|edu|gov|mil|int|info|biz|io|co|ai|app|dev|cloud|eu|uk|de|fr|nl|ch|at|it|es|se|us|jp|in|br|ca|au"
    "|example|internal|local|test"
)
_HOST = re.compile(rf"(?<!\\)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.(?:{_ENDINGS})(?![A-Za-z0-9_.\\*+{{-])")
_OF_HOSTS = " or ".join((", ".join(words_with(Operand.HOSTS)[:-1]), words_with(Operand.HOSTS)[-1]))
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_LITERAL = re.compile(r"[A-Za-z0-9 _:/@#%&=,;<>'\"~!-]+\Z")


def pattern_findings(ground: Ground) -> Iterator[Finding]:
    """Of each pattern at most one finding, the gravest; a pattern that is defined is told of where it is defined."""
    for rule in ground.rules():
        for at, comparisons in rule.comparisons():
            if comparisons.matches is not None and isinstance(rule.raw((*at, "matches")), str):
                for code, message, severity in _verdicts(comparisons.matches):
                    yield finding_of(code, rule.problem((*at, "matches"), message), severity)
    for source in ground.beside:
        defined = inside(source.value, ("define", "patterns"))
        for name, pattern in defined.items() if isinstance(defined, dict) else ():
            for code, message, severity in _verdicts(str(pattern)):
                problem: Problem = source.problem(("define", "patterns", name), message, on_key=True)
                yield finding_of(code, problem, severity)


def _verdicts(pattern: str) -> Iterator[tuple[str, str, Severity]]:
    if matches_nothing(pattern):
        yield "pattern-matches-nothing", f"no text matches {quoted(pattern)}", "warning"
    elif matches_everything(pattern):
        yield "pattern-matches-everything", f"every text matches {quoted(pattern)}", "warning"
    elif (host := _host_in(pattern)) is not None:
        lookalike = host.replace(".", "x")
        message = (
            f"the dot in {quoted(host)} stands for any character, so that {quoted(lookalike)} matches, too; "
            f"list hosts with {_OF_HOSTS}, or write \\."
        )
        yield "unanchored-expectation", message, "warning"
    elif (needless := _needless(pattern)) is not None:
        yield "unanchored-expectation", needless, "note"


def _host_in(pattern: str) -> str | None:
    """The first host name whose dot is not escaped."""
    if "\\Q" in pattern:
        return None
    host = _HOST.search(_CLASS.sub("[]", pattern))
    return None if host is None else host[0]


def _needless(pattern: str) -> str | None:
    bare = unanchored(pattern)
    if bare.endswith(".*") and _LITERAL.match(bare[:-2]):
        return f"a pattern matches the whole text; to ask only how it begins write starts_with: {quoted(bare[:-2])}"
    if bare.startswith(".*") and _LITERAL.match(bare[2:]):
        return f"a pattern matches the whole text; to ask only how it ends write ends_with: {quoted(bare[2:])}"
    if bare != pattern:
        return "a pattern matches the whole text in any case; leave out the anchors at its ends"
    return None
