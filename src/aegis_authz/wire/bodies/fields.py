"""Fields with names such as `a[b][]`, as the objects and lists that readers of forms make of them.

What Rack, PHP, qs and Stripe read alike is read; where they differ, or drop something without a word, it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.folding import folded

MAX_FIELDS = 1000
"""PHP (`max_input_vars`) and qs (`parameterLimit`) drop what follows the thousandth field, and say nothing."""
MAX_LEVELS = 6
"""qs (`depth`) takes what stands deeper for a part of a name."""

_USUAL = re.compile(r"(?!_charset_|__proto__)[a-z0-9_]+(?:\[(?!__proto__|prototype)[a-z0-9_]*\])*\Z")
"""Names that no reader takes for another, brackets apart."""
MAX_NAME = 256
"""Characters of a name that is remembered: callers choose names, and may choose long ones."""
MOST_NAMES = 2048
"""Names that are remembered: clients send the same again and again."""
_NESTED = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)\Z")
_PART = re.compile(r"\[([^\[\]]*)\]")
_INDEX = re.compile(r"(?:0|[1-9][0-9]{0,3})\Z")
_CHARSET = "_charset_"

_Object = dict[str, Json]
_List = list[Json]


class FieldName(NamedTuple):
    """A name as it is read: the parts that brackets make of it, and whether no reader could take it for another."""

    parts: tuple[str, ...]
    is_usual: bool


def read_name(name: str, reason: Reason) -> FieldName:
    """Read the name of a field. Raises Refused with that reason for one that readers take differently."""
    if len(name) > MAX_NAME:
        return _read(name, reason)
    try:
        return _remembered(name)
    except Refused:
        return _read(name, reason)  # raises it anew, for that reason


def _read(name: str, reason: Reason) -> FieldName:
    is_usual = _USUAL.match(name) is not None
    if not is_usual:
        _check(name, reason)
    if "[" not in name and "]" not in name:
        return FieldName((name,), is_usual)
    match = _NESTED.match(name)
    if match is None:
        raise _malformed(name, reason, f"The brackets in the name {quoted(name)} do not pair. Write a[b] or a[].")
    parts = (match[1], *_PART.findall(match[2]))
    if len(parts) > MAX_LEVELS:
        raise _malformed(name, reason, f"The name {quoted(name)} is deeper than {MAX_LEVELS} levels.")
    if "" in parts[:-1]:
        problem = f"In the name {quoted(name)} more stands behind []. Say which element it is, as in a[0][b]."
        raise _malformed(name, reason, problem)
    return FieldName(parts, is_usual)


@lru_cache(MOST_NAMES)
def _remembered(name: str) -> FieldName:
    # without the reason: to hash a member of an enumeration takes as long as all else of a name that is remembered
    return _read(name, Reason.FORM_MALFORMED)


def _check(name: str, reason: Reason) -> None:
    if not name.isprintable():
        raise _malformed(name, reason, f"The name {quoted(name)} holds a character that cannot be seen.")
    if name == _CHARSET:
        problem = "The field _charset_ asks for another charset. Leave it out, and send UTF-8."
        raise _malformed(name, reason, problem)
    if "__proto__" in name or ("constructor" in name and "prototype" in name):
        raise _malformed(name, reason, f"The name {quoted(name)} is taken for a prototype by readers in JavaScript.")


def _malformed(name: str, reason: Reason, problem: str) -> Refused:
    return Refused(reason, "a field's name cannot be read without doubt", Fault("body", name, problem))


class FieldTree:
    """Gathers the fields of one body. `repeated` names the fields that are lists without brackets.

    `reason` is the one for names that cannot be read; every method raises Refused.
    """

    __slots__ = ("_is_usual", "_open", "_reason", "_repeated", "_root")

    def __init__(self, repeated: Collection[str], reason: Reason) -> None:
        self._repeated = repeated
        self._reason = reason
        self._root: _Object = {}
        self._open: set[int] = set()  # the lists that grow by a[], and not by number
        self._is_usual = True

    def add(self, name: str, value: Json) -> None:
        """Take one field. Raises Refused(DUPLICATE_KEY) for a name given twice or as two kinds of value."""
        parts, is_usual = read_name(name, self._reason)
        if not is_usual:
            self._is_usual = False
        if len(parts) > 1:
            self._add_nested(parts, name, value)
        elif name in self._repeated:
            elements = self._root.setdefault(name, [])
            if not isinstance(elements, list) or (elements and id(elements) in self._open):
                raise self._double(name)
            elements.append(value)
        elif name in self._root:
            raise self._double(name)
        else:
            self._root[name] = value

    def finish(self) -> _Object:
        """All fields. Raises Refused(DUPLICATE_KEY) where two names are one to some reader."""
        if not self._is_usual:
            for members in _objects(self._root):
                forms: set[str] = set()
                for name in members:
                    form = folded(name)
                    if form in forms:
                        raise self._double(name)
                    forms.add(form)
        return self._root

    def _add_nested(self, parts: tuple[str, ...], name: str, value: Json) -> None:
        node: _Object | _List = self._root
        for part, following in pairwise(parts):
            node = self._below(node, part, following, name)
        self._put(node, parts[-1], value, name)

    def _below(self, node: _Object | _List, part: str, following: str, name: str) -> _Object | _List:
        """The object or list that stands at a part of a name; a new one where nothing does."""
        is_list = following == "" or _INDEX.match(following) is not None
        child = self._child(node, part)
        if child is None:
            fresh: _Object | _List = [] if is_list else {}
            self._put(node, part, fresh, name)
            if following == "":
                self._open.add(id(fresh))
            return fresh
        if isinstance(child, list) and is_list and (id(child) in self._open) == (following == ""):
            return child
        if isinstance(child, dict) and not is_list and type(child) is dict:
            return child
        raise self._double(name)

    def _child(self, node: _Object | _List, part: str) -> Json:
        if isinstance(node, dict):
            return node.get(part)
        return node[int(part)] if int(part) < len(node) else None

    def _put(self, node: _Object | _List, part: str, value: Json, name: str) -> None:
        if isinstance(node, dict):
            if part in node:
                raise self._double(name)
            node[part] = value
        elif part and int(part) < len(node):
            raise self._double(name)
        elif part and int(part) > len(node):
            problem = f"The name {quoted(name)} skips an element. Number the elements of a list from 0, in order."
            raise _malformed(name, self._reason, problem)
        else:
            node.append(value)

    def _double(self, name: str) -> Refused:
        problem = f"The field {quoted(name)} is given twice, as two kinds of value, or in two spellings."
        return Refused(Reason.DUPLICATE_KEY, "a field is given twice", Fault("body", name, problem))


def _objects(root: _Object) -> Iterator[_Object]:
    level: list[Json] = [root]
    while level:
        below: list[Json] = []
        for node in level:
            if isinstance(node, dict):
                yield node
                below += node.values()
            elif isinstance(node, list):
                below += node
        level = below
