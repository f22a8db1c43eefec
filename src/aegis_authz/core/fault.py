"""What of a refusal the caller alone may read: what is wrong with the shape of its own text."""

from __future__ import annotations

from dataclasses import dataclass

_MOST_PROBLEM = 300  # characters
_MOST_AT = 200
_MOST_QUOTED = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the shape of the caller's own text, in words for the caller.

    `where` is the part of the request (`body`, `query`, `path`, `headers`), `at` the place in it (a JSON pointer, a
    name, "line 2, column 7", "character 9"), "" for the whole. `problem` is one sentence. It says nothing of policy, of
    faults of ours, or of values at other places; what it quotes of the caller's text passes `quoted`.
    Both are made printable and short, whatever they were made of.
    """

    where: str
    at: str
    problem: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", _shortened(_escaped(self.at), _MOST_AT))
        object.__setattr__(self, "problem", _shortened(_escaped(self.problem), _MOST_PROBLEM))


def quoted(text: str) -> str:
    """A piece of the caller's text inside a sentence: in quotation marks, escaped, at most 60 characters of it."""
    return f'"{_shortened(_escaped(text[: _MOST_QUOTED + 1]), _MOST_QUOTED)}"'


def character_name(character: str) -> str:
    """A character by its code point, as U+0009: what cannot be seen can be named."""
    return f"U+{ord(character):04X}"


def _escaped(text: str) -> str:
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
