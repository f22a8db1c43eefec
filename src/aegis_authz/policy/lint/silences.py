"""Comments that silence a code where it is known and meant: `# aegis: allow CODE`, with a reason after it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from aegis_authz.policy.lint.codes import CODES, NEVER_SILENT, UNUSED_SILENCE
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.source.places import Offset, place_of, problem_at
from aegis_authz.policy.source.problems import did_you_mean, quoted

_MARK = "aegis:"
_COMMENT = re.compile(r"(?:(?<=[ \n\r])|\A)#[ ]*aegis:[ ]*allow[ ]+([a-z-]+(?:[ ]*,[ ]*[a-z-]+)*)")
_COMMENT_LINE = re.compile(r"[ ]*#")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Silence:
    """One code that one comment silences: on its own line, or on the next line that is no comment."""

    path: str
    line: int
    code: str
    at: Offset


def apply_silences(findings: Iterable[Finding], texts: Mapping[str, str]) -> list[Finding]:
    """The findings that no comment silences, and one for each silence of nothing."""
    silences = [silence for path in sorted(texts) for silence in silences_of(path, texts[path])]
    targets = {(silence.path, silence.line, silence.code) for silence in silences if silence.code not in NEVER_SILENT}
    left, hits = [], set()
    for finding in findings:
        key = finding.problem.path, finding.problem.line, finding.code
        if key in targets:
            hits.add(key)
        else:
            left.append(finding)
    unused = [silence for silence in silences if (silence.path, silence.line, silence.code) not in hits]
    return [*left, *(_unused(silence, texts[silence.path]) for silence in unused)]


def silences_of(path: str, text: str) -> Iterator[Silence]:
    """What the comments of one file silence. What only looks like a comment, inside a text, is none."""
    marks = list(_COMMENT.finditer(text)) if _MARK in text and not path.endswith(".json") else []
    if not marks:
        return
    spans = _scalars(text)
    lines = text.splitlines()
    for mark in marks:
        if any(start < mark.start() < end for start, end in spans):
            continue
        line = place_of(text, mark.start()).line
        if _COMMENT_LINE.match(lines[line - 1]):
            line += 1
            while line <= len(lines) and _COMMENT_LINE.match(lines[line - 1]):
                line += 1
        for code in re.finditer("[a-z-]+", mark[1]):
            yield Silence(path, line, code[0], mark.start(1) + code.start())


def _unused(silence: Silence, text: str) -> Finding:
    if silence.code not in CODES:
        message = f"there is no code {quoted(silence.code)}{did_you_mean(silence.code, CODES)}"
    elif silence.code in NEVER_SILENT:
        message = f"{quoted(silence.code)} cannot be silenced"
    else:
        message = f"silences nothing: there is no {quoted(silence.code)} on line {silence.line}"
    return finding_of(UNUSED_SILENCE, problem_at(silence.path, text, place_of(text, silence.at), "", message))


def _scalars(text: str) -> Sequence[tuple[Offset, Offset]]:
    """Where texts begin and end that could hold what looks like a comment."""
    return [
        (token.start_mark.index, token.end_mark.index)
        for token in yaml.scan(text, Loader=_LOADER)
        if isinstance(token, yaml.ScalarToken) and not token.plain
    ]
