"""What differs between two catalogues, said in the words of their entries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.interface import Interface, Method
from aegis_authz.core.json_value import Json

FOR_PEOPLE = frozenset(("description", "owner", "source"))
"""The words of an entry that decide nothing. Every other is compared, whatever it is."""

PRICES = "prices"
"""What stands for a tool in changes of the prices of models."""


@dataclass(frozen=True, slots=True)
class CatalogueChange:
    """A difference: `mark` is + for what is new, - for what is gone and ~ for what is another.

    `action` is "" for one of the tool itself, and the model's name for a price.
    """

    mark: str
    tool: str
    action: str
    sentence: str


def tool_entries(documents: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    """The entries of tools among valid documents, by name."""
    return {str(document["tool"]): document for document in documents if "tool" in document}


def model_prices(documents: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    """The prices of models among valid documents, each with its currency, by name."""
    models: dict[str, Json] = {}
    for prices in (document["prices"] for document in documents if "prices" in document):
        if isinstance(prices, Mapping) and isinstance(prices["models"], Mapping):
            currency = {"currency": prices["currency"]}
            models |= {name: {**currency, **price} for name, price in prices["models"].items()}  # type: ignore[dict-item]  # load has read it
    return models


def catalogue_changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> tuple[CatalogueChange, ...]:
    """The differences between two catalogues, each a mapping of tool names to their entries, in order of name."""
    changes: list[CatalogueChange] = []
    for tool in sorted({*old, *new}):
        before, after = _mapping(old.get(tool)), _mapping(new.get(tool))
        if not before or not after:
            changes.append(CatalogueChange("+" if after else "-", tool, "", "tool"))
            continue
        changes += _entry_changes(tool, before, after)
    return tuple(changes)


def price_changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> tuple[CatalogueChange, ...]:
    """The differences between two lists of prices of models, each with its currency, in order of name."""
    changes: list[CatalogueChange] = []
    for model in sorted({*old, *new}):
        before, after = _mapping(old.get(model)), _mapping(new.get(model))
        if not before or not after:
            changes.append(CatalogueChange("+" if after else "-", PRICES, model, "model"))
            continue
        changes += (CatalogueChange("~", PRICES, model, text) for text in _word_changes("", before, after, frozenset()))
    return tuple(changes)


def message_changes(old: Mapping[str, Interface], new: Mapping[str, Interface]) -> tuple[CatalogueChange, ...]:
    """The differences between what descriptor sets tell of the tools of two catalogues, in order of name."""
    changes: list[CatalogueChange] = []
    for tool in sorted(old.keys() & new.keys()):
        before: Mapping[str, object] = {**old[tool].messages, **old[tool].enums}
        after: Mapping[str, object] = {**new[tool].messages, **new[tool].enums}
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                mark = "~" if name in before and name in after else "+" if name in after else "-"
                changes.append(CatalogueChange(mark, tool, "", f"descriptor_set: {name}"))
        changes += _method_changes(tool, old[tool].methods, new[tool].methods)
    return tuple(changes)


def _method_changes(tool: str, old: Mapping[str, Method], new: Mapping[str, Method]) -> Iterator[CatalogueChange]:
    """What of methods that stay a descriptor set says otherwise; that an action came or went, its entry says."""
    for action in sorted(old.keys() & new.keys()):
        methods = (old[action], new[action])
        before, after = (f"{method.sending.value} of {method.request}".removesuffix(" of ") for method in methods)
        if before != after:
            yield CatalogueChange("~", tool, action, f"descriptor_set: {before} -> {after}")


def _entry_changes(tool: str, old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[CatalogueChange]:
    for sentence in _word_changes("", old, new, frozenset(("actions", "mcp", "functions"))):
        yield CatalogueChange("~", tool, "", sentence)
    for sentence in _server_changes(old, new):
        yield CatalogueChange("~", tool, "", sentence)
    before, after = _actions(old), _actions(new)
    for name in sorted({*before, *after}):
        if name not in before:
            yield CatalogueChange("+", tool, name, _match(after[name], new))
        elif name not in after:
            yield CatalogueChange("-", tool, name, _match(before[name], old))
        else:
            for mark, sentence in _action_changes(_mapping(before[name]), _mapping(after[name])):
                yield CatalogueChange(mark, tool, name, sentence)


def _server_changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    """What an MCP server is beside its tools; that it lists them decides which there are at all."""
    if _noun(old) != _noun(new):
        yield f"{_noun(old)} -> {_noun(new)}"
        return
    before, after = _mapping(old.get("mcp")), _mapping(new.get("mcp"))
    yield from _word_changes("mcp.", before, after, frozenset(("tools",)))
    listings = [isinstance(entry.get("tools"), Mapping) for entry in (before, after)]
    if listings[0] != listings[1]:
        words = ["listed" if is_listed else "not listed" for is_listed in listings]
        yield f"mcp.tools: {words[0]} -> {words[1]}"


def _noun(entry: Mapping[str, Json]) -> str:
    if "functions" in entry:
        return "functions inside the agent"
    return "an MCP server" if "mcp" in entry else "an HTTP API"


def _action_changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    yield from (("~", sentence) for sentence in _word_changes("", old, new, frozenset(("parameters",))))
    before, after = _mapping(old.get("parameters")), _mapping(new.get("parameters"))
    for name in sorted({*before, *after}):
        was, now = _parameter(before.get(name)), _parameter(after.get(name))
        if not was:
            yield "+", f"parameter {name} ({_words(now)})"
        elif not now:
            yield "-", f"parameter {name} ({_words(was)})"
        elif was != now:
            yield "~", f"parameter {name}: {_words(was)} -> {_words(now)}"


def _word_changes(prefix: str, old: Mapping[str, Json], new: Mapping[str, Json], but: frozenset[str]) -> Iterator[str]:
    for word in sorted({*old, *new} - FOR_PEOPLE - but):
        if old.get(word) != new.get(word):
            yield f"{prefix}{word}: {_written(old.get(word))} -> {_written(new.get(word))}"


def _actions(entry: Mapping[str, Json]) -> Mapping[str, Json]:
    """The actions of an HTTP API, functions, or the tools of an MCP server."""
    own = _mapping(entry.get("actions")) or _mapping(entry.get("functions"))
    return own or _mapping(_mapping(entry.get("mcp")).get("tools"))


def _parameter(value: Json) -> Mapping[str, Json]:
    return {"type": value} if isinstance(value, str) else _mapping(value)


def _match(action: Json, entry: Mapping[str, Json]) -> str:
    match = _mapping(action).get("match")
    if isinstance(match, str):
        return match
    return "function" if "functions" in entry else "tool of the server"


def _words(parameter: Mapping[str, Json]) -> str:
    plain = ("type", "from")
    return ", ".join(
        _written(value) if word in plain else f"{word}: {_written(value)}" for word, value in parameter.items()
    )


def _written(value: Json) -> str:
    """A value as an entry may write it."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
