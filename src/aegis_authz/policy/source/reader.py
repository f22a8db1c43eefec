"""YAML and JSON as read by us: one meaning a text, everything else an error with its place.

The language is the JSON data model in YAML's block or flow form: no anchors, aliases, tags, merge
keys, tabs, directives or words that YAML 1.1 and 1.2 read differently (`yes`, `010`, `.inf`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import yaml

from aegis_authz.core.json_value import Json
from aegis_authz.policy.source.places import Location, Offset, Place, Places, field_name, place_of, problem_at
from aegis_authz.policy.source.problems import MOST_IN_A_FILE, Problem, printable, quoted
from aegis_authz.policy.source.scalars import Unreadable, plain_value
from aegis_authz.policy.source.texts import MAX_BYTES, refused_text

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_VALUES", "Location", "Place", "SourceDocument", "field_name", "read_source"]

MAX_DEPTH = 64
MAX_VALUES = 100_000
"""How many keys and values one file may hold."""

_Value = yaml.ScalarEvent | yaml.CollectionStartEvent
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads a large set twenty times faster
_SHAPE = "; look at the indentation: members that belong together begin in the same column"
_SHAPELESS = ("mapping values are not allowed", "did not find expected key", "did not find expected '-'", "block ")


@dataclass(frozen=True)
class SourceDocument:
    """One document of a file, and where what it holds was written.

    `problems` are what is wrong with it already; of the values at the `doubtful` locations nothing more can be said.
    `blank` are the places of empty values. A `broken` document could not be read to its end: the value is what stood
    before.
    """

    path: str
    value: Json
    places: Places
    problems: tuple[Problem, ...] = ()
    doubtful: frozenset[Location] = frozenset()
    blank: tuple[Location, ...] = ()
    broken: bool = False

    @property
    def at(self) -> dict[Location, Place]:
        """Where each value stands, by its location."""
        return self.places.of_values

    @property
    def keys(self) -> dict[Location, Place]:
        """Where the key of each member stands."""
        return self.places.of_keys

    def problem(self, location: Location, message: str, on_key: bool = False) -> Problem:
        """A problem with the value at `location`, or the nearest value around it that exists."""
        place = self.keys.get(location) if on_key else None
        nearest = location
        while place is None:
            place = self.at.get(nearest)
            if place is None and not nearest:
                place = Place(1, 1)
            nearest = nearest[:-1]
        return problem_at(self.path, self.places.text, place, field_name(location), message)


def read_source(path: str, text: str) -> tuple[list[SourceDocument], list[Problem]]:
    """Read every document of one file.

    `path` only names the file in messages; where it ends in `.json` the text must be JSON. Returns the documents, each
    with its own `problems`, and all problems of the file. Never raises.
    """
    early = refused_text(path, text)
    if early is not None:
        return [], [early]
    reader = _Reader(path, text)
    try:
        reader.read()
    except _Stop as fault:
        reader.stop(fault.at, str(fault))
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        message = str(fault.problem or fault.context)
        hint = _SHAPE if message.startswith(_SHAPELESS) else ""
        reader.stop(0 if mark is None else mark.index, f"not YAML: {printable(message)}{hint}")
    except yaml.YAMLError as fault:
        reader.stop(0, f"not YAML: {printable(str(fault).splitlines()[0])}")
    return reader.documents, reader.problems


class _Stop(Exception):
    """Nothing after this place in the file can be read with one meaning."""

    def __init__(self, at: Offset, message: str) -> None:
        super().__init__(message)
        self.at = at


@dataclass(slots=True)
class _Open:
    """A mapping or list that has begun. `key` is the member whose value comes next, None between members.

    `repeated` is where the places of a member begin that was given before and does not count.
    """

    value: dict[str, Json] | list[Json]
    location: Location
    key: str | None = None
    repeated: int | None = None


@dataclass(slots=True)
class _Reader:
    """Builds documents out of parser events; keeps the open containers on a list, not on the call stack."""

    path: str
    text: str
    documents: list[SourceDocument] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _open: list[_Open] = field(default_factory=list)
    _marks: list[Offset] = field(default_factory=list)
    _blank: list[Location] = field(default_factory=list)
    _doubtful: list[Location] = field(default_factory=list)
    _first_problem: int = 0
    _root: Json = None
    _empty: bool = True

    def read(self) -> None:
        """Take every event of the file. Raises _Stop, yaml.YAMLError."""
        loader = _LOADER(self.text)
        take: dict[type, Callable[..., None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
            yaml.DocumentEndEvent: self._finish,
            yaml.StreamStartEvent: self._stream,
        }
        try:
            event = loader.get_event()
            while type(event) is not yaml.StreamEndEvent:
                take[type(event)](event, event.start_mark.index)
                event = loader.get_event()
        finally:
            loader.dispose()

    def complain(self, at: Offset, location: Location, message: str, harmless: bool = False) -> None:
        """A `harmless` problem leaves no doubt of what the value is."""
        if not harmless:
            self._doubtful.append(location)
        if len(self.problems) < MOST_IN_A_FILE:
            place = place_of(self.text, at)
            self.problems.append(problem_at(self.path, self.text, place, field_name(location), message))
        else:
            raise _Stop(at, "more problems follow in this file")

    def stop(self, at: Offset, message: str) -> None:
        """Say why the rest is not read, and keep what the last document held until there."""
        self.problems.append(problem_at(self.path, self.text, place_of(self.text, at), "", message))
        if isinstance(self._root, dict) and self._open:
            self._keep(broken=True)

    def _stream(self, event: yaml.Event, at: Offset) -> None:
        """Nothing has been said yet."""

    def _document(self, event: yaml.DocumentStartEvent, at: Offset) -> None:
        self._marks, self._blank, self._doubtful = [], [], []
        self._root, self._empty, self._first_problem = None, True, len(self.problems)
        if event.version is not None or event.tags:
            self.complain(at, (), "directives (%YAML, %TAG) are not allowed", harmless=True)

    def _finish(self, event: yaml.Event, at: Offset) -> None:
        if not self._empty:
            self._keep(broken=False)
        self._root = None

    def _keep(self, broken: bool) -> None:
        places = Places(self.text, self._root, self._marks)
        problems = tuple(self.problems[self._first_problem :])
        doubtful, blank = frozenset(self._doubtful), tuple(self._blank)
        self.documents.append(SourceDocument(self.path, self._root, places, problems, doubtful, blank, broken))

    def _alias(self, event: yaml.Event, at: Offset) -> None:
        self.complain(at, self._here(), "aliases (*name) are not allowed; write the value out")
        self._put(None, at)

    def _refuse_marks(self, event: _Value, at: Offset) -> None:
        if event.anchor is not None:
            self.complain(at, self._here(), "anchors (&name) are not allowed", harmless=True)
        if event.tag is not None:
            self.complain(at, self._here(), "tags (!name) are not allowed")

    def _here(self) -> Location:
        if not self._open:
            return ()
        top = self._open[-1]
        if isinstance(top.value, list):
            return (*top.location, len(top.value))
        return top.location if top.key is None else (*top.location, top.key)

    def _mapping(self, event: yaml.MappingStartEvent, at: Offset) -> None:
        self._begin({}, event, at)

    def _sequence(self, event: yaml.SequenceStartEvent, at: Offset) -> None:
        self._begin([], event, at)

    def _begin(self, value: dict[str, Json] | list[Json], event: _Value, at: Offset) -> None:
        if event.anchor is not None or event.tag is not None:
            self._refuse_marks(event, at)
        if len(self._open) >= MAX_DEPTH:
            raise _Stop(at, f"nested more than {MAX_DEPTH} levels deep")
        opened = _Open(value, self._here())
        self._put(value, at)
        self._open.append(opened)

    def _end(self, event: yaml.Event, at: Offset) -> None:
        self._open.pop()
        if self._open:
            self._forget_repeated(self._open[-1])

    def _scalar(self, event: yaml.ScalarEvent, at: Offset) -> None:
        if event.anchor is not None or event.tag is not None:
            self._refuse_marks(event, at)
        text: str = event.value
        top = self._open[-1] if self._open else None
        names = top is not None and top.key is None and isinstance(top.value, dict)
        value: Json = text
        if not event.style:
            try:
                value = plain_value(text)
            except Unreadable as fault:
                self.complain(at, (*self._here(), text) if names else self._here(), str(fault))
        if top is None:
            self._empty = text == "" and not event.style
            self._put(value, at)
        elif names:
            self._name(top, value, event, at)
        else:
            self._put(value, at)
            self._forget_repeated(top)

    def _name(self, top: _Open, value: Json, event: yaml.ScalarEvent, at: Offset) -> None:
        text: str = event.value
        if text in top.value:
            top.repeated = len(self._marks)
        if not event.style and text == "<<":
            self.complain(at, (*top.location, text), "merge keys (<<) are not allowed; write the members out")
        elif not isinstance(value, str):
            self.complain(at, (*top.location, text), f"a key must be a text; write {quoted(text)} in quotes")
        elif top.repeated is not None:
            first = Places(self.text, self._root, self._marks).of_keys.get((*top.location, text))
            where = "" if first is None else f"; first on line {first.line}"
            self.complain(at, (*top.location, text), f"given twice{where}", harmless=True)
        top.key = text
        self._marks.append(at)

    def _put(self, value: Json, at: Offset) -> None:
        marks = self._marks
        if len(marks) > MAX_VALUES:
            raise _Stop(at, f"more than {MAX_VALUES} keys and values in one document")
        if not self._open:
            self._root = value
            self._empty = self._empty and value is None
            if value is None:
                self._blank.append(())
            marks.append(at)
            return
        top = self._open[-1]
        if value is None:
            self._blank.append(self._here())
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is None:
            raise _Stop(at, "a key must be a text")
        else:
            top.value.setdefault(top.key, value)
            top.key = None
        marks.append(at)

    def _forget_repeated(self, top: _Open) -> None:
        """A member given twice counts once: drop the places of the second."""
        if top.repeated is not None:
            del self._marks[top.repeated :]
            top.repeated = None
