"""Lists of tools (MCP `tools/list`), cut down to the allowed ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aegis_authz.core.decision import FilterTools, HideTools
from aegis_authz.encoding.folding import shape
from aegis_authz.redact.json_text import JsonText
from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.view import Replacement


@dataclass(frozen=True, slots=True)
class Cut:
    """The edits that cut a list down, and how many tools they take away."""

    edits: tuple[Replacement, ...]
    removed: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The tools that a list may show: the `allowed` ones (None: any) but for the `hidden`, by their shapes."""

    allowed: frozenset[str] | None
    hidden: frozenset[str]

    def shows(self, name: str) -> bool:
        """Whether a tool of that name is shown; one without a name is not."""
        return bool(name) and (self.allowed is None or name in self.allowed) and _plain(name) not in self.hidden


def choice_of(filters: Sequence[FilterTools | HideTools]) -> Choice | None:
    """What all of these leave; None where there are none."""
    if not filters:
        return None
    allowed = [frozenset(obligation.allowed) for obligation in filters if isinstance(obligation, FilterTools)]
    hidden = frozenset(
        _plain(name) for obligation in filters if isinstance(obligation, HideTools) for name in obligation.hidden
    )
    return Choice(frozenset.intersection(*allowed) if allowed else None, hidden)


def _plain(name: str) -> str:
    return shape(name).strip()


def cut_down(text: JsonText, message: Span, choice: Choice) -> Cut:
    """What must change in one message; a tool whose name cannot be told without doubt is left out alone."""
    edits: list[Replacement] = []
    removed = 0
    for result in _members_named(text, message, "result"):
        lists = list(_members_named(text, result, "tools"))
        for tools in lists:
            if text.first_byte(tools) != b"[":
                continue
            elements = list(text.elements(tools))
            visible = [element for element in elements if choice.shows(_name(text, element))]
            removed += len(elements) - len(visible)
            if len(visible) < len(elements):
                edits.append(Replacement(*tools, b"[" + b",".join(map(text.bytes_of, visible)) + b"]"))
        if lists:  # the list is this agent's own
            edits += (Replacement(*scope, b'"private"') for scope in _members_named(text, result, "cacheScope"))
    return Cut(tuple(edits), removed)


def _members_named(text: JsonText, value: Span, name: str) -> Iterator[Span]:
    """Every member of that name in any case, also those written twice: a reader may take any of them."""
    if text.first_byte(value) == b"{":
        yield from (member.value for member in text.members(value) if member.name.casefold() == name.casefold())


def _name(text: JsonText, tool: Span) -> str:
    names = list(_members_named(text, tool, "name"))
    if len(names) != 1 or text.first_byte(names[0]) != b'"':
        return ""
    return text.string(names[0])
