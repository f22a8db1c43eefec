"""One operation of a description as one action of a catalogue, and what of it no action can hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.core.path_template import read_template
from aegis_authz.policy.language.header_names import check_header_name
from aegis_authz.policy.openapi.bodies import JSON, body_fields
from aegis_authz.policy.openapi.references import Description, elements
from aegis_authz.policy.openapi.schemas import Kind, kind_of
from aegis_authz.policy.openapi.serialisations import TEXT, pairs_of, text_of

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "query")
"""The methods an operation may have, TRACE left out: no tool is called by it."""

_VARIABLE = re.compile(r"\{([^{}]+)\}")
_WORDS = re.compile(r"[^\x00-\x1f\x7f]{1,256}\Z")
_UNNAMED = re.compile(r"[^A-Za-z0-9_./-]+")
_LONGEST_NAME = 128
_LONGEST_DESCRIPTION = 200
_IGNORED_HEADERS = frozenset(("accept", "content-type", "authorization"))
"""OpenAPI 3.1.1, section 4.8.12.1: parameters of these names say nothing."""

_Entry = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as an action: `name`, `match` and the `entry` for a catalogue, with what it leaves out (`gaps`)."""

    name: str
    match: str
    tags: tuple[str, ...]
    entry: Mapping[str, Json]
    gaps: tuple[str, ...]


class OperationUnusable(Exception):
    """No action can be this operation; the message says why."""


def operation_of(description: Description, base: str, path: str, method: str, parts: Sequence[Json]) -> Operation:
    """The action of an operation.

    `base` is the path of the server, `parts` are the path item and the operation in it. Raises OperationUnusable,
    ReferenceUnresolved.
    """
    item, operation = description.resolved(parts[0]), description.resolved(parts[1])
    template, variables = _template(base + path)
    draft = _Draft(description)
    declared = {}
    for parameter in (*elements(item.get("parameters")), *elements(operation.get("parameters"))):
        plain = description.resolved(parameter)
        declared[plain.get("in"), plain.get("name")] = plain  # the operation's own stand for those of its path
    for original, variable in variables.items():
        draft.add_variable(original, variable, declared.get(("path", original), {}))
    for (place, name), parameter in declared.items():
        if isinstance(name, str) and place != "path":
            draft.add_parameter(str(place), name, parameter)
    draft.add_body(operation.get("requestBody"))
    summary = _summary(operation)
    entry: _Entry = {"match": f"{method.upper()} {template}"}
    entry |= {"description": summary} if summary else {}
    if draft.formats != (JSON,):
        entry["body"] = draft.formats[0] if len(draft.formats) == 1 else list(draft.formats)
    entry |= {"parameters": draft.parameters} if draft.parameters else {}
    entry |= {"others": "allow"} if draft.is_open and (draft.parameters or draft.formats != (JSON,)) else {}
    tags = tuple(tag for tag in elements(operation.get("tags")) if isinstance(tag, str))
    return Operation(_name(operation, method, path), f"{method.upper()} {template}", tags, entry, tuple(draft.gaps))


class _Draft:
    """The parameters of an action as they are found, each under a name of its own."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self.parameters: dict[str, Json] = {}
        self.gaps: list[str] = []
        self.is_open = False
        self.formats: tuple[str, ...] = (JSON,)

    def add(self, name: str, at: str, kind: Kind, place: str = "") -> None:
        """Add a parameter; a second one of a name is called by its place, too."""
        if not _WORDS.match(name) or name != name.strip():
            self.gaps.append(f"the parameter {name[:60]!r} has no name that a rule can hold")
            return
        key = f"{place}_{name}" if name in self.parameters and place else name
        if key in self.parameters:
            self.gaps.append(f"the parameter {name!r} is there twice")
            return
        entry: _Entry = {"from": at, "type": kind.name}
        entry |= {"items": kind.items} if kind.items is not None else {}
        entry |= {"optional": True} if kind.is_nullable and at.startswith("/") else {}
        self.parameters[key] = entry

    def add_variable(self, name: str, variable: str, parameter: Mapping[str, Json]) -> None:
        """Add a variable of the path."""
        kind, gaps = text_of(_kind_of_parameter(self._description, parameter), f"path parameter {name[:60]!r}")
        self.gaps += gaps
        self.add(name, f"{{{variable}}}", kind)

    def add_parameter(self, place: str, name: str, parameter: Mapping[str, Json]) -> None:
        """Add a parameter of the query or a header; a cookie cannot be one."""
        if place == "query":
            pairs = pairs_of(self._description, name, parameter)
            for key, kind in pairs.kinds.items():
                self.add(key, f"?{key}", kind, "query")
            self.gaps += pairs.gaps
            self.is_open = self.is_open or pairs.is_open
        elif place == "header":
            self._add_header(name.lower(), _kind_of_parameter(self._description, parameter))
        else:
            self.gaps.append(f"the {place} parameter {name[:60]!r} is not judged")

    def _add_header(self, name: str, kind: Kind) -> None:
        if name in _IGNORED_HEADERS:
            return
        try:
            check_header_name(name)
        except ValueError as fault:
            self.gaps.append(f"the header parameter {name[:60]!r} is not judged: {fault}")
            return
        plain, gaps = text_of(kind, f"header parameter {name[:60]!r}")
        self.gaps += gaps
        self.add(name, f"header:{name}", plain, "header")

    def add_body(self, body: Json) -> None:
        """Add the fields of the body, and its formats where they are not JSON alone."""
        read = body_fields(self._description, body)
        if read is None:
            return
        for name, (at, kind) in read.fields.items():
            self.add(name, at, kind, "body")
        self.formats = read.formats
        self.is_open = self.is_open or read.is_open
        self.gaps += read.gaps


def _kind_of_parameter(description: Description, parameter: Mapping[str, Json]) -> Kind:
    if "schema" in parameter:
        return kind_of(description, parameter["schema"])
    return TEXT  # described by content: a text in whatever serialisation


def _template(path: str) -> tuple[str, dict[str, str]]:
    """The path as a catalogue writes it, and how each variable is called there."""
    variables: dict[str, str] = {}
    for number, name in enumerate(_VARIABLE.findall(path)):
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
        plain = plain if re.match(r"[A-Za-z_]", plain) else f"_{plain}"
        variables[name] = plain if plain not in variables.values() else f"{plain}_{number}"
    template = _VARIABLE.sub(lambda match: f"{{{variables[match[1]]}}}", path)
    if not template.startswith("/") or any(not segment for segment in template[1:].split("/")[:-1]):
        raise OperationUnusable(f"{path[:100]!r} is not a path that a request can have here")
    try:
        read_template(tuple(template[1:].split("/")))
    except ValueError as fault:
        raise OperationUnusable(str(fault)) from None
    return template, variables


def _name(operation: Mapping[str, Json], method: str, path: str) -> str:
    declared = operation.get("operationId")
    words = declared if isinstance(declared, str) and declared else f"{method}_{path}"
    name = _UNNAMED.sub("_", words).strip("_./-")[:_LONGEST_NAME]
    return name or method


def _summary(operation: Mapping[str, Json]) -> str:
    for word in ("summary", "description"):
        text = operation.get(word)
        if isinstance(text, str) and (plain := " ".join(text.split())):
            printable = "".join(character if character.isprintable() else " " for character in plain)
            cut = printable[:_LONGEST_DESCRIPTION].rstrip()
            return f"{cut}..." if len(printable) > _LONGEST_DESCRIPTION else cut
    return ""


def operations(description: Description) -> Iterator[tuple[str, str, Json, Json]]:
    """Every path, method, path item and operation of a description, in the order of its paths."""
    paths = description.document.get("paths")
    for path, item in paths.items() if isinstance(paths, Mapping) else ():
        plain = description.resolved(item)
        for method in METHODS:
            if method in plain:
                yield path, method, plain, plain[method]
