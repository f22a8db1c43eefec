"""Adding an agent key to a document as text, so that comments and everything else stay as they are."""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode


class EntryUnreadable(ValueError):
    """The document is written in a form that this cannot add to; the message says which."""


def with_agent_key(text: str, agent: str, entry: str) -> str:
    """The text of the file with one more key in the entry of that agent, and `agent_key` among its ways.

    `entry` is a mapping in flow style, on one line. Raises EntryUnreadable.
    """
    node = _entry_of(text, agent)
    if node.flow_style or not node.value:
        raise EntryUnreadable(f"the entry of {agent} is written in braces")
    insertions = [_key_insertion(text, node, entry)]
    if (ways := _ways_insertion(node)) is not None:
        insertions.append(ways)
    for position, addition in sorted(insertions, reverse=True):
        text = text[:position] + addition + text[position:]
    return text


def _entry_of(text: str, agent: str) -> MappingNode:
    for document in yaml.compose_all(text, yaml.SafeLoader):
        if isinstance(agents := _member(document, "agents"), MappingNode):
            entry = _member(agents, agent)
            if isinstance(entry, MappingNode):
                return entry
    raise EntryUnreadable(f"no entry of {agent} is written out")


def _member(node: Node, name: str) -> Node | None:
    return next((value for key, value in _members(node) if key == name), None)


def _members(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode):
                yield key.value, value


def _key_insertion(text: str, node: MappingNode, entry: str) -> tuple[int, str]:
    keys = _member(node, "agent_keys")
    if keys is None:
        indent = " " * node.start_mark.column
        return _end_of(text, node), f"{indent}agent_keys:\n{indent}  - {entry}\n"
    if not isinstance(keys, SequenceNode) or keys.flow_style:
        raise EntryUnreadable("its agent_keys are written in brackets")
    return _end_of(text, keys), f"{' ' * keys.start_mark.column}- {entry}\n"


def _ways_insertion(node: MappingNode) -> tuple[int, str] | None:
    ways = _member(node, "ways")
    if ways is None:
        return node.start_mark.index, f"ways: [bound, token, agent_key]\n{' ' * node.start_mark.column}"
    if not isinstance(ways, SequenceNode) or not ways.value:
        raise EntryUnreadable("its ways are not a list")
    if any(isinstance(way, ScalarNode) and way.value == "agent_key" for way in ways.value):
        return None
    last = ways.value[-1].end_mark.index
    return last, ", agent_key" if ways.flow_style else f"\n{' ' * ways.start_mark.column}- agent_key"


def _end_of(text: str, node: Node) -> int:
    """Where the line after the last thing of a node begins; a block ends for YAML where the next thing begins."""
    last = _last(node)
    end = text.find("\n", last.end_mark.index)
    if end < 0:
        raise EntryUnreadable("its last line has no end")
    return end + 1


def _last(node: Node) -> Node:
    """The node of a block that is written last and ends where its own text ends."""
    while isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        entry = node.value[-1]
        node = entry[1] if isinstance(entry, tuple) else entry
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        raise EntryUnreadable("its last member is a block of text")
    return node
