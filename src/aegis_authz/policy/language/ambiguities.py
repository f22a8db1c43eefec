"""Pairs of catalogue entries between which a request could not be told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aegis_authz.core.catalogue import Action, Tool
from aegis_authz.core.path_template import Rank, read_template
from aegis_authz.policy.source.problems import Problem, quoted
from aegis_authz.policy.source.reader import Location, SourceDocument


def ambiguities(tools: Sequence[tuple[Tool, SourceDocument]]) -> list[Problem]:
    """Every pair of entries between which a request could not be told apart, said at the later one."""
    problems: list[Problem] = []
    for position, (tool, source) in enumerate(tools):
        for rival, elsewhere in tools[:position]:
            if tool.name == rival.name:
                message = f"another tool is named {quoted(tool.name)} ({_where(elsewhere)})"
                problems.append(source.problem(("tool",), message))
            if tool.is_function:
                continue
            if (tool.host, tool.port) == (rival.host, rival.port):
                problems += [source.problem(at, f"{why} ({_where(elsewhere)})") for at, why in _collisions(tool, rival)]
        problems += [source.problem(at, why) for at, why in _ties(tool.actions)]
    return problems


def _ties(actions: Sequence[Action]) -> Iterator[tuple[Location, str]]:
    kin: dict[object, list[Action]] = {}
    for action in actions:
        rivals = kin.setdefault(_kin(action), [])
        rival = next((rival for rival in rivals if _may_tie(action, rival)), None)
        if rival is not None:
            yield ("actions", action.name, "match"), f"matches {_same(action)} as action {quoted(rival.name)}"
        rivals.append(action)


def _where(source: SourceDocument) -> str:
    return f"{source.path}:{source.at[()].line}" if () in source.at else source.path


def _collisions(tool: Tool, rival: Tool) -> list[tuple[Location, str]]:
    if tool.is_opaque or rival.is_opaque:
        return [(("host",), f"shares its address with {quoted(rival.name)}, and one is passed through unopened")]
    if tool.is_mcp and rival.is_mcp:
        same = tool.mcp_paths == rival.mcp_paths
        return [(("host",), f"tool {quoted(rival.name)} is an MCP server at the same address")] if same else []
    if tool.is_mcp:
        actions = [action for action in rival.actions if _claims(action.template, tool)]
        return [
            (("host",), f"action {quoted(action.name)} of {quoted(rival.name)} has the endpoint's path")
            for action in actions
        ]
    if rival.is_mcp:
        return [
            (("actions", action.name, "match"), f"{rival.mcp_path} is the MCP endpoint of tool {quoted(rival.name)}")
            for action in tool.actions
            if _claims(action.template, rival)
        ]
    kin: dict[object, list[Action]] = {}
    for action in rival.actions:
        kin.setdefault(_kin(action), []).append(action)
    return [
        (
            ("actions", action.name, "match"),
            f"matches {_same(action)} as {quoted(neighbour.name)} of {quoted(rival.name)}",
        )
        for action in tool.actions
        for neighbour in kin.get(_kin(action), ())
        if _may_tie(action, neighbour)
    ]


def _claims(template: tuple[str, ...], tool: Tool) -> bool:
    return any(_covers(template, path) for path in tool.mcp_paths)


def _covers(template: tuple[str, ...], path: str) -> bool:
    return read_template(template).match(path[1:].split("/")) is not None


def _kin(action: Action) -> object:
    """What two actions have in common between which a path could leave a doubt."""
    return action.method, read_template(action.template).kin


def _may_tie(action: Action, rival: Action) -> bool:
    """Whether the reader could not choose between two actions of a kin: it prefers literals, leftmost first."""
    return read_template(action.template).may_tie(read_template(rival.template))


def _same(action: Action) -> str:
    """How the requests of an action and of its rival are called."""
    is_partly = Rank.MIXED in read_template(action.template).ranks
    return "some of the same requests" if is_partly else "the same requests"
