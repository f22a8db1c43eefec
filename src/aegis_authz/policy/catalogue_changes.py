"""What differs between two catalogues, said in the words of their entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aegis_authz.core.json_value import Json

_PLACES = ("host", "upstream", "region")


@dataclass(frozen=True, slots=True)
class CatalogueChange:
    """A difference: `mark` is + for what is new, - for what is gone and ~ for what is another.

    `action` is "" for one of the tool itself.
    """

    mark: str
    tool: str
    action: str
    sentence: str


def catalogue_changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> tuple[CatalogueChange, ...]:
    """The differences between two catalogues, each a mapping of tool names to their entries, in order of name.

    Descriptions, owners and prices change no judgement and are not compared.
    """
    changes: list[CatalogueChange] = []
    for tool in sorted({*old, *new}):
        before, after = _mapping(old.get(tool)), _mapping(new.get(tool))
        if not before or not after:
            changes.append(CatalogueChange("+" if after else "-", tool, "", "tool"))
            continue
        changes += _entry_changes(tool, before, after)
    return tuple(changes)


def _entry_changes(tool: str, old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[CatalogueChange]:
    for word in _PLACES:
        if old.get(word) != new.get(word):
            yield CatalogueChange("~", tool, "", _change(word, old.get(word), new.get(word)))
    before, after = _actions(old), _actions(new)
    for name in sorted({*before, *after}):
        if name not in before:
            yield CatalogueChange("+", tool, name, _match(after[name]))
        elif name not in after:
            yield CatalogueChange("-", tool, name, _match(before[name]))
        else:
            for mark, sentence in _action_changes(_mapping(before[name]), _mapping(after[name])):
                yield CatalogueChange(mark, tool, name, sentence)


def _action_changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for word in sorted({*old, *new} - {"parameters", "description", "cost"}):
        if old.get(word) != new.get(word):
            yield "~", _change(word, old.get(word), new.get(word))
    before, after = _mapping(old.get("parameters")), _mapping(new.get("parameters"))
    for name in sorted({*before, *after}):
        was, now = _parameter(before.get(name)), _parameter(after.get(name))
        if not was:
            yield "+", f"parameter {name} ({_words(now)})"
        elif not now:
            yield "-", f"parameter {name} ({_words(was)})"
        elif was != now:
            yield "~", f"parameter {name}: {_words(was)} -> {_words(now)}"


def _actions(entry: Mapping[str, Json]) -> Mapping[str, Json]:
    """The actions of an HTTP API, or the tools of an MCP server."""
    return _mapping(entry.get("actions")) or _mapping(_mapping(entry.get("mcp")).get("tools"))


def _parameter(value: Json) -> Mapping[str, Json]:
    return {"type": value} if isinstance(value, str) else _mapping(value)


def _match(action: Json) -> str:
    match = _mapping(action).get("match")
    return match if isinstance(match, str) else "tool of the server"


def _change(word: str, old: Json, new: Json) -> str:
    return f"{word}: {'none' if old is None else old} -> {'none' if new is None else new}"


def _words(parameter: Mapping[str, Json]) -> str:
    plain = ("type", "from")
    return ", ".join(str(value) if word in plain else f"{word}: {value}" for word, value in parameter.items())


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
