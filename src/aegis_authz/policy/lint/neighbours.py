"""Documents that are judged together: which of them meet, and what they allow and deny between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aegis_authz.core.scope_shape import parts_of
from aegis_authz.policy.language.catalogue import KnownTool
from aegis_authz.policy.language.scope import covers
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.lint.ground import LintedDocument, LintedRule

_About = tuple[str, str]
"""A scope and the name of a tool."""


@dataclass
class Neighbours:
    """Documents of one mode. What is found out for a scope is kept, for many documents may share it."""

    documents: Sequence[LintedDocument]
    tools: Mapping[str, KnownTool]
    _allowing: list[dict[str, list[LintedRule]]] = field(init=False)
    _denying: list[dict[str, list[LintedRule]]] = field(init=False)
    _parts: dict[str, tuple[str, ...]] = field(init=False)
    _by_scope: dict[str, list[int]] = field(default_factory=dict)
    _of_agent: dict[str, list[str]] = field(default_factory=dict)
    _of_many: list[str] = field(default_factory=list)
    _near: dict[str, list[int]] = field(default_factory=dict)
    _covering: dict[str, list[int]] = field(default_factory=dict)
    _deniers: dict[_About, list[LintedRule]] = field(default_factory=dict)
    _allowed: dict[_About, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._allowing = [_by_tool(entry.allowing) for entry in self.documents]
        self._denying = [_by_tool(entry.denying) for entry in self.documents]
        for position, entry in enumerate(self.documents):
            self._by_scope.setdefault(entry.document.scope, []).append(position)
        self._parts = {scope: parts_of(scope) for scope in self._by_scope}
        for scope, parts in self._parts.items():
            (self._of_many if ANY in parts[-1] else self._of_agent.setdefault(parts[-1], [])).append(scope)

    def near(self, scope: str) -> list[int]:
        """The positions of all documents that could cover an agent of this scope, in order."""
        if scope not in self._near:
            own = self._parts[scope]
            # An agent of one name meets its namesakes and the agents of many names: one of ten thousand meets few.
            met = self._parts if ANY in own[-1] else (*self._of_agent.get(own[-1], ()), *self._of_many)
            near = {
                candidate
                for candidate in met
                if (ANY in scope or ANY in candidate) and _overlap(own, self._parts[candidate])
            }
            self._near[scope] = sorted(
                position for candidate in near | {scope} for position in self._by_scope[candidate]
            )
        return self._near[scope]

    def allowing(self, position: int, tool: str) -> Sequence[LintedRule]:
        """The rules of one document that allow something of a tool."""
        return self._allowing[position].get(tool, ())

    def all_allowing(self, scope: str, tool: str) -> Iterator[LintedRule]:
        """The same of all documents near a scope."""
        for position in self.near(scope):
            yield from self.allowing(position, tool)

    def allowed(self, scope: str, tool: str) -> frozenset[str]:
        """The actions of a tool that some agent of this scope may have a rule for."""
        key = scope, tool
        if key not in self._allowed:
            rules = self.all_allowing(scope, tool)
            self._allowed[key] = frozenset(action for rule in rules for action in self.actions_of(rule))
        return self._allowed[key]

    def deniers(self, scope: str, tool: str) -> list[LintedRule]:
        """The rules that deny something of a tool to all agents of this scope, whatever the call."""
        key = scope, tool
        if key not in self._deniers:
            self._deniers[key] = [
                rule
                for position in self.covering(scope)
                for rule in self._denying[position].get(tool, ())
                if not rule.values
            ]
        return self._deniers[key]

    def covering(self, scope: str) -> list[int]:
        """The positions of the documents that cover all agents of this scope, in order."""
        if scope not in self._covering:
            self._covering[scope] = [
                position for position in self.near(scope) if covers(self.documents[position].document.scope, scope)
            ]
        return self._covering[scope]

    def actions_of(self, rule: LintedRule) -> frozenset[str]:
        """What a rule is about: `*` alone where it means more than the catalogue lists."""
        tool = self.tools[rule.rule.name]
        if rule.rule.actions == (ANY,) and tool.actions is not None and not tool.tool.is_mcp:
            return frozenset(tool.actions)
        return frozenset(rule.rule.actions)


def shared(left: frozenset[str], right: frozenset[str]) -> bool:
    """Whether a call can be of both."""
    return not left.isdisjoint(right) or (ANY in left and bool(right)) or (ANY in right and bool(left))


def _by_tool(rules: Iterable[LintedRule]) -> dict[str, list[LintedRule]]:
    tools: dict[str, list[LintedRule]] = {}
    for rule in rules:
        tools.setdefault(rule.rule.name, []).append(rule)
    return tools


def _overlap(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether an agent could be of both scopes. Each part is a name, or the beginning of names and a `*`."""
    return all(left == right or _share(left, right) for left, right in zip(first, second, strict=True))


def _share(left: str, right: str) -> bool:
    if left.endswith(ANY) and right.endswith(ANY):
        return left.startswith(right[:-1]) or right.startswith(left[:-1])
    return (left.endswith(ANY) and right.startswith(left[:-1])) or (right.endswith(ANY) and left.startswith(right[:-1]))
