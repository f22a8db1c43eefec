"""The text of a description: JSON, or the part of YAML 1.2 that JSON is written in (OpenAPI 3.1.1, section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
import yaml

from aegis_authz.core.json_value import Json

_MOST_DEPTH = 500
_MOST_MERGED = 100_000
"""Members that `<<` adds to mappings of one text, all together: each line that merges another twice doubles them."""
_STRING = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"
_PLAIN_VALUES = (
    ("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")),
    ("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z"), list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]+)?|[eE][-+][0-9]+)\Z"),
        list("-+0123456789"),
    ),
    (_MERGE, re.compile(r"<<\Z"), ["<"]),
)
"""What a text without quotes is besides a text. To YAML 1.1, which PyYAML reads, `no` and `on` are truth values, and
`2024-01-01` is a date.
"""


class TextUnreadable(Exception):
    """A text is neither JSON nor YAML, or no mapping; the message says which."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # which of the two is there
    """YAML with the plain values of JSON, and texts for keys."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # as PyYAML has it

    _merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """As PyYAML calls it."""
        before = len(node.value)
        super().flatten_mapping(node)
        self._merged += max(len(node.value) - before, 0)
        if self._merged > _MOST_MERGED:
            raise yaml.YAMLError("merges make it too large")

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Json]:
        """As PyYAML calls it."""
        self.flatten_mapping(node)
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = _STRING
        mapping: dict[str, Json] = super().construct_mapping(node, deep)
        return mapping


for _tag, _pattern, _firsts in _PLAIN_VALUES:
    _Loader.add_implicit_resolver(_tag, _pattern, _firsts)


def document_of(content: bytes) -> Mapping[str, Json]:
    """The mapping in a text. Raises TextUnreadable."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as fault:
        if content.lstrip()[:1] == b"{":
            raise TextUnreadable(f"is not JSON: {fault}") from None
        document = _read(content)
    if not isinstance(document, dict):
        raise TextUnreadable("is no OpenAPI description: a mapping is needed")
    return document


def _read(content: bytes) -> Json:
    try:
        _refuse_depth(content)
        document: Json = yaml.load(content, Loader=_Loader)  # noqa: S506  # a safe loader: see _Loader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as fault:
        raise TextUnreadable(f"is neither JSON nor YAML: {' '.join(str(fault).split())[:200]}") from None
    return document


def _refuse_depth(content: bytes) -> None:
    """libyaml goes into what is nested by calling itself, to the end of its stack and of the process."""
    depth = 0
    for event in yaml.parse(content, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_DEPTH:
            raise TextUnreadable("is nested too deeply")
