"""A description as an entry of a catalogue, with a summary of what could not be taken over."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from aegis_authz.core.json_value import Json
from aegis_authz.core.path_template import read_template
from aegis_authz.policy.openapi.operations import Operation, OperationUnusable, operation_of, operations
from aegis_authz.policy.openapi.references import Description, ReferenceUnresolved
from aegis_authz.policy.openapi.servers import Address, ServersUnreadable, address_of, host_of

_SUPPORTED = re.compile(r"3\.[012](\.[0-9]+)?\Z")
_VARIABLE = re.compile(r"\{([^{}]+)\}")
_LONGEST_NAME = 63


class DescriptionUnusable(Exception):
    """A document is no OpenAPI description, or one from which no entry can be made; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to take over, and what a description may leave open.

    `name`, `host`, `upstream` and `owner` are "" for what the description says, or nothing. Of `only`, globs of
    operation names and paths, and `tags` an operation must match one each; empty for all. `location` is the URL a
    description was read from, "" for none: relative servers are relative to it.
    """

    name: str = ""
    host: str = ""
    upstream: str = ""
    owner: str = ""
    only: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    location: str = ""

    def takes(self, operation: Operation, path: str) -> bool:
        """Whether an operation is to be taken over."""
        by_name = not self.only or any(
            fnmatchcase(operation.name, glob) or fnmatchcase(path, glob) for glob in self.only
        )
        return by_name and (not self.tags or not set(self.tags).isdisjoint(operation.tags))


@dataclass(frozen=True, slots=True)
class Gap:
    """Something of an operation that the entry does not hold. `is_left_out` where that is the operation itself."""

    operation: str
    sentence: str
    is_left_out: bool


@dataclass(frozen=True, slots=True)
class ImportedEntry:
    """A catalogue entry: its document, how many actions it has, and of which the parameters are not listed."""

    tool: str
    document: Mapping[str, Json]
    actions: int
    unlisted: tuple[str, ...]
    gaps: tuple[Gap, ...]


def entry_of(document: Mapping[str, Json], choice: Choice) -> ImportedEntry:
    """The entry of a description. Raises DescriptionUnusable."""
    description = Description(_supported(document))
    server, title = _server(description, choice), _title(description)
    actions: dict[str, Json] = {}
    gaps: list[Gap] = []
    forms: dict[object, str] = {}
    for operation in _actions(description, server, choice, gaps.append):
        name = _free_name(operation.name, actions)
        rival = forms.setdefault(_form(operation.match), name)
        if rival != name:
            gaps.append(Gap(operation.match, f"cannot be told apart from {rival}", True))
            continue
        actions[name] = operation.entry
        gaps += [Gap(name, sentence, False) for sentence in operation.gaps]
    if not actions:
        raise DescriptionUnusable(f"no operation was taken over{_why(gaps)}")
    tool = choice.name or _slug(title)
    own: dict[str, Json] = {"tool": tool, "host": choice.host or server.host}
    own |= {"upstream": choice.upstream} if choice.upstream else {}
    own |= {"owner": choice.owner} if choice.owner else {}
    unlisted = tuple(name for name, entry in actions.items() if isinstance(entry, dict) and "parameters" not in entry)
    return ImportedEntry(tool, own | {"actions": actions}, len(actions), unlisted, tuple(gaps))


def _supported(document: Mapping[str, Json]) -> Mapping[str, Json]:
    if "swagger" in document:
        raise DescriptionUnusable("Swagger 2.0 is not read: convert it to OpenAPI 3 first")
    version = document.get("openapi")
    if not _SUPPORTED.match(str(version)):
        raise DescriptionUnusable(f"openapi is {str(version)[:20]!r}: an OpenAPI 3.0, 3.1 or 3.2 description is needed")
    if not isinstance(document.get("paths"), Mapping):
        raise DescriptionUnusable("the description has no paths")
    return document


def _actions(
    description: Description, server: Address, choice: Choice, note: Callable[[Gap], None]
) -> Sequence[Operation]:
    selection: list[Operation] = []
    for path, method, item, operation in _operations(description):
        try:
            own = _own_server(description, (operation, item), choice) or server
            action = operation_of(description, own.base, path, method, (item, operation))
        except (OperationUnusable, ReferenceUnresolved, ServersUnreadable) as fault:
            note(Gap(f"{method.upper()} {path}", str(fault), True))
            continue
        if not choice.takes(action, path):
            continue
        if own is server or own.is_relative or (own.host and own.host in (server.host, choice.host)):
            selection.append(action)
        else:
            place = f"{own.host}{own.base}" if own.host else "whose host is not said"
            sentence = f"is of a server of its own, {place}: import it by itself (--only, --host, --name)"
            note(Gap(f"{method.upper()} {path}", sentence, True))
    return selection


def _own_server(description: Description, holders: Sequence[Json], choice: Choice) -> Address | None:
    """The server that an operation, or else its path, names instead of the description's (3.1.1, section 4.8.10.1)."""
    addresses = (address_of(description, description.resolved(holder), choice.location) for holder in holders)
    return next((address for address in addresses if address is not None), None)


def _operations(description: Description) -> Sequence[tuple[str, str, Json, Json]]:
    try:
        return list(operations(description))
    except ReferenceUnresolved as fault:
        raise DescriptionUnusable(f"a path cannot be read: {fault}") from None


def _server(description: Description, choice: Choice) -> Address:
    """The host that agents call, and the path below which everything lies."""
    try:
        declared = address_of(description, description.document, choice.location)
        address = declared or Address(host_of(choice.location), "", is_relative=not choice.location)
    except ServersUnreadable as fault:
        raise DescriptionUnusable(str(fault)) from None
    if not address.host and not choice.host:
        raise DescriptionUnusable("the description names no server: give the host that agents call (--host)")
    return address


def _title(description: Description) -> str:
    information = description.document.get("info", {})
    try:
        plain = description.resolved(information) if isinstance(information, Mapping) else None
    except ReferenceUnresolved as fault:
        raise DescriptionUnusable(f"info: {fault}") from None
    if plain is None:
        raise DescriptionUnusable("info is no object")
    title = plain.get("title", "")
    if not isinstance(title, str):
        raise DescriptionUnusable("info.title is no text")
    return title


def _free_name(name: str, actions: Mapping[str, Json]) -> str:
    if name not in actions:
        return name
    return next(free for number in range(2, len(actions) + 3) if (free := f"{name}_{number}") not in actions)


def _form(match: str) -> object:
    """Equal for templates that would match the same requests."""
    method, _, path = match.partition(" ")
    return method, read_template(tuple(path[1:].split("/"))).kin, _VARIABLE.sub("{}", path)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:_LONGEST_NAME].strip("-") or "api"


def _why(gaps: Sequence[Gap]) -> str:
    return f": {gaps[0].operation}: {gaps[0].sentence}" if gaps else ": none has the names or tags that were asked for"
