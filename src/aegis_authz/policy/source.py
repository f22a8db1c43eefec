"""YAML and JSON as read by us: one meaning a text, everything else an error with its place.

The language is the JSON data model in YAML's block or flow form: no anchors, aliases, tags, merge
keys, tabs, directives or words that YAML 1.1 and 1.2 read differently (`yes`, `010`, `.inf`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from aegis_authz.core.json_value import Json
from aegis_authz.policy.problems import Problem, printable, quoted

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64

Location = tuple[str | int, ...]
"""Where a value stands in its document: member names and list positions from the root."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads a large set twenty times faster
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
# Tabs; line breaks only YAML 1.1 knows; marks that reorder what a person sees or are not seen at all.
_REFUSED_CHARACTERS = re.compile(r"[\t\x85\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?\Z")
_WORDS: Mapping[str, Json] = {"null": None, "~": None, "": None, "true": True, "false": False}
_UNCLEAR = re.compile(
    r"(?i:yes|no|on|off|y|n|null|true|false|[-+]?\.inf|\.nan|nan|[-+]?inf(inity)?)\Z"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z"
    r"|[-+]?(0[xob][0-9a-fA-F_]+|[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?)\Z"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a text, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """One document of a file and where each of its values (`at`) and keys (`keys`) stands."""

    path: str
    value: Json
    at: Mapping[Location, Place]
    keys: Mapping[Location, Place]
    lines: tuple[str, ...]

    def problem(self, location: Location, message: str, on_key: bool = False) -> Problem:
        """A problem with the value at `location`, or the nearest value around it that exists."""
        place: Place | None = self.keys.get(location) if on_key else None
        nearest = location
        while place is None:
            place = self.at.get(nearest)
            if place is None and not nearest:
                place = Place(1, 1)
            nearest = nearest[:-1]
        return _problem(self.path, self.lines, place, field_name(location), message)


def read_source(path: str, text: str) -> tuple[list[SourceDocument], list[Problem]]:
    """Read every document of one file.

    `path` only names the file in messages. Returns the documents that could be read and all
    problems; a document with problems is still returned where its shape is known. Never raises.
    """
    lines = tuple(printable(line) for line in _LINE_BREAK.split(text))
    early = _refused_text(path, text, lines)
    if early is not None:
        return [], [early]
    reader = _Reader(path, lines)
    try:
        for event in _events(text):
            reader.take(event)
    except _Stop as fault:
        reader.complain(fault.place, (), str(fault))
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        place = Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)
        reader.complain(place, (), f"not YAML: {printable(str(fault.problem or fault.context))}")
    except yaml.YAMLError as fault:
        reader.complain(Place(1, 1), (), f"not YAML: {printable(str(fault).splitlines()[0])}")
    return reader.documents, reader.problems


def field_name(location: Location) -> str:
    """`allowed_tools[0].conditions.max_amount` for a location."""
    name = ""
    for part in location:
        if isinstance(part, int):
            name += f"[{part}]"
        else:
            shown = printable(part)[:80]
            name += f".{shown}" if name else shown
    return name


class _Stop(Exception):
    """Nothing after this place in the file can be read with one meaning."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


class _Unreadable(Exception):
    """A scalar that is not exactly one JSON value; the message says what to write."""


@dataclass(slots=True)
class _Open:
    """A mapping or list that has begun. `key` is the member whose value comes next, None between members."""

    value: dict[str, Json] | list[Json]
    location: Location
    key: str | None = None


@dataclass(slots=True)
class _Reader:
    """Builds documents out of parser events; keeps the open containers on a list, not on the call stack."""

    path: str
    lines: tuple[str, ...]
    documents: list[SourceDocument] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _open: list[_Open] = field(default_factory=list)
    _at: dict[Location, Place] = field(default_factory=dict)
    _keys: dict[Location, Place] = field(default_factory=dict)
    _root: Json = None
    _blank: bool = True

    def take(self, event: yaml.Event) -> None:
        mark = event.start_mark
        place = Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)
        match event:
            case yaml.DocumentStartEvent():
                self._at, self._keys, self._root, self._blank = {}, {}, None, True
                if event.version is not None or event.tags:
                    self.complain(place, (), "directives (%YAML, %TAG) are not allowed")
            case yaml.DocumentEndEvent():
                if not self._blank:
                    self.documents.append(SourceDocument(self.path, self._root, self._at, self._keys, self.lines))
            case yaml.AliasEvent():
                self._refuse_marks(event, place)
                self._put(None, place)
            case yaml.ScalarEvent():
                self._refuse_marks(event, place)
                self._scalar(event, place)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._refuse_marks(event, place)
                self._begin({} if isinstance(event, yaml.MappingStartEvent) else [], place)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()

    def complain(self, place: Place, location: Location, message: str) -> None:
        self.problems.append(_problem(self.path, self.lines, place, field_name(location), message))

    def _refuse_marks(self, event: yaml.NodeEvent, place: Place) -> None:
        if isinstance(event, yaml.AliasEvent):
            self.complain(place, self._here(), "aliases (*name) are not allowed; write the value out")
            return
        if event.anchor is not None:
            self.complain(place, self._here(), "anchors (&name) are not allowed")
        if getattr(event, "tag", None) is not None:
            self.complain(place, self._here(), "tags (!name) are not allowed")

    def _here(self) -> Location:
        if not self._open:
            return ()
        top = self._open[-1]
        if isinstance(top.value, list):
            return (*top.location, len(top.value))
        return top.location if top.key is None else (*top.location, top.key)

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is None

    def _begin(self, value: dict[str, Json] | list[Json], place: Place) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise _Stop(place, f"nested more than {MAX_DEPTH} levels deep")
        location = self._here()
        self._put(value, place)
        self._open.append(_Open(value, location))

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> None:
        plain = event.style is None or event.style == ""
        try:
            value = _plain_value(event.value) if plain else event.value
        except _Unreadable as fault:
            self.complain(place, self._here(), str(fault))
            value = event.value
        if not self._expects_key():
            if self._open or not (plain and event.value == ""):
                self._blank = False
            self._put(value, place)
        elif plain and event.value == "<<":
            self.complain(place, self._here(), "merge keys (<<) are not allowed; write the members out")
            self._open[-1].key = "<<"
        else:
            self._name(value, event.value, place)

    def _name(self, value: Json, text: str, place: Place) -> None:
        top = self._open[-1]
        if not isinstance(value, str):
            self.complain(place, (*top.location, text), f"a key must be a text; write {quoted(text)} in quotes")
        elif isinstance(top.value, dict) and text in top.value:
            first = self._keys[(*top.location, text)]
            self.complain(place, (*top.location, text), f"given twice; first on line {first.line}")
        top.key = text
        self._keys.setdefault((*top.location, text), place)

    def _put(self, value: Json, place: Place) -> None:
        location = self._here()
        self._at.setdefault(location, place)
        if not self._open:
            self._root, self._blank = value, self._blank and value is None
            return
        top = self._open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is None:
            raise _Stop(place, "a key must be a text")
        else:
            top.value.setdefault(top.key, value)
            top.key = None


def _events(text: str) -> Iterator[yaml.Event]:
    loader = _LOADER(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


def _plain_value(text: str) -> Json:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        if len(text) > 20 or not -(2**63) <= int(text) < 2**64:
            raise _Unreadable("the integer does not fit 64 bits")
        return int(text)
    if _FLOAT.match(text):
        number = float(text)
        if not math.isfinite(number):
            raise _Unreadable("the number is out of range")
        return number
    if _UNCLEAR.match(text):
        raise _Unreadable(
            f"{quoted(text)} is read differently by different YAML readers; write true, false or a plain number, "
            "or put it in quotes"
        )
    return text


def _refused_text(path: str, text: str, lines: tuple[str, ...]) -> Problem | None:
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return Problem(path, 1, 1, "", "not UTF-8")
    if size > MAX_BYTES:
        return Problem(path, 1, 1, "", f"larger than {MAX_BYTES} bytes")
    refused = _REFUSED_CHARACTERS.search(text)
    if refused is None:
        return None
    before = _LINE_BREAK.split(text[: refused.start()])
    tab = refused.group() == "\t"
    message = (
        "tabs are not allowed; use spaces" if tab else f"the character U+{ord(refused.group()):04X} is not allowed"
    )
    return _problem(path, lines, Place(len(before), len(before[-1]) + 1), "", message)


def _problem(path: str, lines: tuple[str, ...], place: Place, name: str, message: str) -> Problem:
    excerpt = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
    return Problem(path, place.line, place.column, name, message, excerpt)
