"""A file of documents as it was written: the keys, values and items with their own words, for writing it anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Protocol, cast

import yaml

from aegis_authz.policy.source.places import Offset

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BEFORE_DASH = re.compile(r"(?:[ \n]|#[^\n]*)*")


class _Mark(Protocol):
    """A place in the text."""

    index: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """A plain, quoted or block scalar: what it means, and the very words it was written in.

    `around` is the column of the collection that holds it.
    """

    start: Offset
    end: Offset
    text: str
    value: str
    style: str
    around: int

    @property
    def is_block(self) -> bool:
        return self.style in ("|", ">")

    @property
    def keeps_blank_lines(self) -> bool:
        """Whether blank lines after it are a part of it."""
        return self.is_block and "+" in self.text.partition("\n")[0].partition("#")[0]


@dataclass(slots=True, eq=False)
class Entry:
    """A member of a mapping, or with `key` None an item of a list.

    `above` are the comments over it and "" for a blank line, `beside` those at the end of its line.
    """

    key: Scalar | None
    value: Scalar | Collection
    start: Offset
    above: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)

    @property
    def end(self) -> Offset:
        """Where its last word ends."""
        return self.value.end


@dataclass(slots=True, eq=False)
class Collection:
    """A mapping or a list.

    `flow` is one between braces or brackets. `trailing` are the comments after its last entry.
    """

    start: Offset
    column: int
    flow: bool
    mapping: bool
    end: Offset = 0
    entries: list[Entry] = field(default_factory=list)
    trailing: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Tree:
    """One document: the part of the text from `start` to `end`. `head` are the comments before its first entry."""

    root: Scalar | Collection
    start: Offset
    end: Offset
    head: list[str] = field(default_factory=list)


def trees_of(text: str) -> list[Tree]:
    """The documents of a text that `read_source` reads without a problem; empty ones are left out.

    Line breaks must be newlines alone. Raises yaml.YAMLError.
    """
    trees: list[Tree] = []
    start: Offset | None = None
    for begins, root in _roots(text):
        begins = begins if start is None else start
        if isinstance(root, Scalar) and root.text == "":
            start = begins  # what was said about nothing belongs to what follows
            continue
        trees.append(Tree(root, begins, len(text)))
        start = None
    for earlier, later in pairwise(trees):
        earlier.end = later.start
    if trees:
        trees[0].start = 0
    return trees


def scalars_of(node: Scalar | Collection) -> Iterator[Scalar]:
    """All keys and scalar values, in order."""
    if isinstance(node, Scalar):
        yield node
        return
    for entry in node.entries:
        if entry.key is not None:
            yield entry.key
        yield from scalars_of(entry.value)


def entries_of(node: Scalar | Collection) -> Iterator[Entry]:
    """All entries, outer before inner, in order."""
    for entry in () if isinstance(node, Scalar) else node.entries:
        yield from chain((entry,), entries_of(entry.value))


def _roots(text: str) -> Iterator[tuple[Offset, Scalar | Collection]]:
    """Where each document starts, and its root."""
    events = _events(text)
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            yield _mark(event.start_mark).index, _node(text, events, next(events), 0)


def _events(text: str) -> Iterator[yaml.Event]:
    loader = _LOADER(text)
    try:
        event = loader.get_event()
        while not isinstance(event, yaml.StreamEndEvent):
            yield event
            event = loader.get_event()
    finally:
        loader.dispose()


def _node(text: str, events: Iterator[yaml.Event], event: yaml.Event, around: int) -> Scalar | Collection:
    begun = _mark(event.start_mark)
    if isinstance(event, yaml.ScalarEvent):
        end = _mark(event.end_mark).index
        return Scalar(begun.index, end, text[begun.index : end], event.value, event.style or "", around)
    if not isinstance(event, yaml.CollectionStartEvent):
        raise yaml.YAMLError("neither a scalar nor a collection")
    mapping = isinstance(event, yaml.MappingStartEvent)
    collection = Collection(begun.index, begun.column, bool(event.flow_style), mapping, begun.index)
    event = next(events)
    while not isinstance(event, yaml.CollectionEndEvent):
        collection.entries.append(_entry(text, events, event, collection))
        collection.end = max(collection.end, collection.entries[-1].end, collection.entries[-1].start)
        event = next(events)
    if collection.flow:
        collection.end = _mark(event.end_mark).index
    return collection


def _entry(text: str, events: Iterator[yaml.Event], event: yaml.Event, within: Collection) -> Entry:
    first = _node(text, events, event, within.column)
    if not within.mapping:
        return Entry(None, first, first.start if within.flow else _dash(text, within.end))
    if not isinstance(first, Scalar):
        raise yaml.YAMLError("a key is a collection")
    return Entry(first, _node(text, events, next(events), within.column), first.start)


def _mark(mark: object) -> _Mark:
    """The mark of an event that was parsed, which has one; those of the two loaders have no type in common."""
    return cast(_Mark, mark)


def _dash(text: str, after: Offset) -> Offset:
    """Where the next item of a list begins."""
    match = _BEFORE_DASH.match(text, after)
    return after if match is None else match.end()
