"""Lists of tools (MCP `tools/list`), cut down to the allowed ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aegis_authz.redact.json_text import JsonText
from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.view import Replacement


@dataclass(frozen=True, slots=True)
class Cut:
    """The edits that cut a list down, and how many tools they take away."""

    edits: tuple[Replacement, ...]
    removed: int


def cut_down(text: JsonText, message: Span, allowed: frozenset[str]) -> Cut:
    """What must change in one message; a tool whose name cannot be told without doubt is left out alone."""
    edits: list[Replacement] = []
    removed = 0
    for result in _members_named(text, message, "result"):
        lists = list(_members_named(text, result, "tools"))
        for tools in lists:
            if text.first_byte(tools) != b"[":
                continue
            elements = list(text.elements(tools))
            kept = [element for element in elements if _name(text, element) in allowed]
            removed += len(elements) - len(kept)
            if len(kept) < len(elements):
                edits.append(Replacement(*tools, b"[" + b",".join(map(text.bytes_of, kept)) + b"]"))
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
