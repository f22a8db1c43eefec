"""JSON with comments, as clients' settings are written: read with places, and changed without touching anything else.

Comments (`//`, `/* */`) and commas before a closing bracket are read; whatever is not changed stays letter for letter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.json_value import Json

_SPACE = re.compile(r"(?:[ \t\r\n]|//[^\n]*+|/\*.*?\*/)*+", re.DOTALL)
_COMMA = re.compile(r"(?:[ \t\r\n]|//[^\n]*+|/\*.*?\*/)*+,", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR = re.compile(r"(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])")
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it is written: `text[start:end]`. `members` are those of an object."""

    start: int
    end: int
    value: Json
    members: Mapping[str, Member] | None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object: where its name begins, and its value."""

    start: int
    node: Node


def parse(text: str) -> Node:
    """The document. Raises ValueError that says where it is none, or names a member twice."""
    reader = _Reader(text)
    node = reader.value(0)
    reader.space()
    if reader.at != len(text):
        raise reader.fault("more than one document")
    return node


def with_member(text: str, path: Sequence[str], value: Json) -> str:
    """The document with this value at the end of a path of members; objects on the way are made if need be.

    Raises ValueError when something on the way is no object.
    """
    node = parse(text)
    for depth, name in enumerate(path):
        if node.members is None:
            raise ValueError(f"{'.'.join(path[:depth]) or 'the document'} is not an object")
        member = node.members.get(name)
        if member is None:
            rest: Json = value
            for missing in reversed(path[depth + 1 :]):
                rest = {missing: rest}
            return _inserted(text, node, name, rest)
        node = member.node
    return text[: node.start] + _written(value, _indent_of(text, node.start), text) + text[node.end :]


def without_member(text: str, path: Sequence[str]) -> str:
    """The document without the member at the end of the path, as it is where there is none."""
    node = parse(text)
    for name in path[:-1]:
        member = (node.members or {}).get(name)
        if member is None:
            return text
        node = member.node
    members = node.members or {}
    if path[-1] not in members:
        return text
    names = list(members)
    place = names.index(path[-1])
    member = members[path[-1]]
    if place + 1 < len(names):
        return text[: member.start] + text[members[names[place + 1]].start :]
    if place > 0:
        return text[: members[names[place - 1]].node.end] + text[member.node.end :]
    return text[: node.start] + "{}" + text[node.end :]


def _inserted(text: str, node: Node, name: str, value: Json) -> str:
    members = list((node.members or {}).values())
    newline = "\r\n" if "\r\n" in text else "\n"
    outside = _indent_of(text, node.start)
    indent = _indent_of(text, members[0].start) if members else outside + _step(text)
    is_on_one_line = bool(members) and newline not in text[node.start : members[0].start]
    entry = f"{json.dumps(name, ensure_ascii=False)}: {_written(value, indent, text)}"
    if is_on_one_line:
        return f"{text[: members[-1].node.end]}, {entry}{text[members[-1].node.end :]}"
    if members:
        end = members[-1].node.end
        comma = _COMMA.match(text[end:])
        if comma is not None:  # a comma is there already: go on after it
            end += comma.end()
            return f"{text[:end]}{newline}{indent}{entry}{text[end:]}"
        return f"{text[:end]},{newline}{indent}{entry}{text[end:]}"
    inside = text[node.start + 1 : node.end - 1].rstrip()  # comments of an empty object stay
    return f"{text[: node.start]}{{{inside}{newline}{indent}{entry}{newline}{outside}}}{text[node.end :]}"


def _written(value: Json, indent: str, text: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    json_text = json.dumps(value, indent=_step(text), ensure_ascii=False)
    return json_text.replace("\n", newline + indent)


def _indent_of(text: str, at: int) -> str:
    """The white space that the line of a place begins with."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _step(text: str) -> str:
    """One step of indentation, as the document has it."""
    matched = re.search(r"\n([ \t]+)\S", text)
    if matched is None:
        return "  "
    return "\t" if matched[1].startswith("\t") else matched[1]


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fault(self, why: str) -> ValueError:
        line = self.text.count("\n", 0, self.at) + 1
        return ValueError(f"line {line}: {why}")

    def space(self) -> None:
        matched = _SPACE.match(self.text, self.at)
        if matched is not None:
            self.at = matched.end()

    def value(self, depth: int) -> Node:
        self.space()
        if depth > _DEEPEST:
            raise self.fault("nested too deeply")
        match self.text[self.at : self.at + 1]:
            case "{":
                return self._object(depth)
            case "[":
                return self._list(depth)
            case '"':
                return self._text()
            case _:
                matched = _SCALAR.match(self.text, self.at)
                if matched is None:
                    raise self.fault("no value")
                self.at = matched.end()
                return Node(matched.start(), matched.end(), json.loads(matched[0]), None)

    def _text(self) -> Node:
        start, value = self.at, self._string()
        return Node(start, self.at, value, None)

    def _string(self) -> str:
        matched = _STRING.match(self.text, self.at)
        if matched is None:
            raise self.fault("no text in double quotes")
        self.at = matched.end()
        try:
            text: str = json.loads(matched[0])
        except ValueError:
            raise self.fault("a text with a wrong escape") from None
        return text

    def _object(self, depth: int) -> Node:
        start = self.at
        members: dict[str, Member] = {}
        self.at += 1
        while not self._closes("}"):
            begin = self.at
            name = self._string()
            if name in members:
                raise self.fault(f"{name!r} is named twice")
            self.space()
            if not self.text.startswith(":", self.at):
                raise self.fault("no colon after a name")
            self.at += 1
            members[name] = Member(begin, self.value(depth + 1))
            self._comma("}")
        value = {name: member.node.value for name, member in members.items()}
        return Node(start, self.at, value, members)

    def _list(self, depth: int) -> Node:
        start = self.at
        values: list[Json] = []
        self.at += 1
        while not self._closes("]"):
            values.append(self.value(depth + 1).value)
            self._comma("]")
        return Node(start, self.at, values, None)

    def _closes(self, bracket: str) -> bool:
        self.space()
        if self.text.startswith(bracket, self.at):
            self.at += 1
            return True
        return False

    def _comma(self, bracket: str) -> None:
        self.space()
        if self.text.startswith(",", self.at):
            self.at += 1
        elif not self.text.startswith(bracket, self.at):
            raise self.fault(f"neither a comma nor {bracket}")
