"""What is wrong with a document, said with file, line, column and field."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from unicodedata import category, east_asian_width

EXCERPT_WIDTH = 100
"""How many characters of a line are shown."""
MOST_PROBLEMS = 1000
"""How many problems are told of a set of documents; the work of finding more is saved."""
MOST_IN_A_FILE = 100

_MANY_WORDS = 500
_WITHOUT_WIDTH = ("Mn", "Me", "Cf")
_WORD = re.compile(r'\?|"(?:[^"\\]|\\.)*"?|\'[^\']*\'?|[^\s,\[\]{}:]+(?::[^\s,\[\]{}:]+)*')


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong. `line` and `column` count from 1.

    `excerpt` is the source line, "" when there is none, and `before` the line above it; of both, the first `cut`
    characters are left out. Read as text it is `file:line:column: field: message` and these lines, with a mark.
    """

    path: str
    line: int
    column: int
    field: str
    message: str
    excerpt: str = ""
    before: str = ""
    cut: int = 0

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        head = f"{self.path}:{self.line}:{self.column}: {field}{self.message}"
        if not self.excerpt.strip():
            return head
        return "\n".join((head, *self._excerpt_lines()))

    def _excerpt_lines(self) -> Iterator[str]:
        start = max(0, self.column - 1 - self.cut)
        # What comes from elsewhere may hold the whole line.
        left_out = 0 if start < EXCERPT_WIDTH else start - EXCERPT_WIDTH // 2
        gap = "... " if self.cut or left_out else ""
        width = len(str(self.line))
        line = self.excerpt[left_out : left_out + EXCERPT_WIDTH]
        word = _WORD.match(line, start - left_out)
        if self.before.strip():
            above = self.before[left_out : left_out + EXCERPT_WIDTH].rstrip()
            yield f"  {self.line - 1:>{width}} | {gap if above else ''}{above}".rstrip()
        yield f"  {self.line} | {gap}{line}".rstrip()
        mark = "^" * max(1, cells(word.group()) if word else 1)
        yield f"  {' ' * width} | {' ' * (len(gap) + cells(line[: start - left_out]))}{mark}"


class PolicyErrors(Exception):
    """Everything wrong with a set of documents, in order of file and line; of very many, the first ones."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(_first(sorted(set(problems))))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _first(problems: list[Problem]) -> list[Problem]:
    selection: list[Problem] = []
    for path, group in groupby(problems, key=lambda problem: problem.path):
        here = list(group)
        selection += here[:MOST_IN_A_FILE]
        if len(here) > MOST_IN_A_FILE:
            after = here[MOST_IN_A_FILE]
            selection.append(Problem(path, after.line, after.column, "", "more problems follow in this file"))
    if len(selection) <= MOST_PROBLEMS:
        return selection
    after = selection[MOST_PROBLEMS]
    more = Problem(after.path, after.line, after.column, "", "more problems follow in this and later files")
    return [*selection[:MOST_PROBLEMS], more]


def cells(text: str) -> int:
    """How many columns of a terminal a text takes: two for wide characters (UAX #11), none for marks that combine."""
    if text.isascii():
        return len(text)
    return sum(0 if category(char) in _WITHOUT_WIDTH else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def printable(text: str) -> str:
    """The text with every control character as `?`, fit for a terminal."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "?" for character in text)


def quoted(text: str) -> str:
    """A name out of a document, in quotes, short and printable."""
    label = printable(text[:81])
    return f"'{label if len(label) <= 80 else label[:77] + '...'}'"


def described(value: object) -> str:
    """A value as messages name what was found: `the text 'five'`, `a list`, `nothing`."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {str(value)[:40]}"
        case str():
            return f"the text {quoted(value)}" if value else "an empty text"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case _:
            return "a mapping" if value else "an empty mapping"


def did_you_mean(word: str, vocabulary: Collection[str]) -> str:
    """`; did you mean 'x'?` for the nearest known word, or `; known here: ...`, or ""."""
    nearest = difflib.get_close_matches(word[:80], sorted(_candidates(word, vocabulary)), n=1, cutoff=0.6)
    if nearest:
        return f"; did you mean {quoted(nearest[0])}?"
    return f"; known here: {', '.join(sorted(vocabulary))}" if 0 < len(vocabulary) <= 12 else ""


def _candidates(word: str, vocabulary: Collection[str]) -> Collection[str]:
    """Those worth comparing: of very many, some that are about as long and begin alike."""
    if len(vocabulary) <= _MANY_WORDS:
        return vocabulary
    alike = (
        candidate for candidate in vocabulary if candidate[:1] == word[:1] and abs(len(candidate) - len(word)) <= 2
    )
    return list(islice(alike, _MANY_WORDS))
