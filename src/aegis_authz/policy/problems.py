"""What is wrong with a document, said with file, line, column and field."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

_EXCERPT_WIDTH = 100


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong. `line` and `column` count from 1; `excerpt` is the source line, "" when there is none."""

    path: str
    line: int
    column: int
    field: str
    message: str
    excerpt: str = ""

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        head = f"{self.path}:{self.line}:{self.column}: {field}{self.message}"
        if not self.excerpt.strip():
            return head
        start = max(0, self.column - 1 - _EXCERPT_WIDTH // 2)
        shown = self.excerpt[start : start + _EXCERPT_WIDTH]
        return f"{head}\n    {shown}\n    {' ' * (self.column - 1 - start)}^"


class PolicyErrors(Exception):
    """Everything wrong with a set of documents, in order of file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def printable(text: str) -> str:
    """The text with every control character as `?`, fit for a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def quoted(text: str) -> str:
    """A name out of a document, in quotes, short and printable."""
    shown = printable(text)
    return f"'{shown if len(shown) <= 80 else shown[:77] + '...'}'"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known word, or `; known are ...`, or ""."""
    words = sorted(set(known))
    nearest = difflib.get_close_matches(word[:80], words, n=1, cutoff=0.6)
    if nearest:
        return f"; did you mean {quoted(nearest[0])}?"
    return f"; known here: {', '.join(words)}" if 0 < len(words) <= 12 else ""
