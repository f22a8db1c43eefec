"""Lints of what nothing uses, and of what the catalogue leaves open: unlisted tools and unlisted parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.policy.language.catalogue import KnownTool
from aegis_authz.policy.language.mcp_methods import is_method
from aegis_authz.policy.language.operators import Operand, words_with
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import Ground
from aegis_authz.policy.source.places import Location, inside
from aegis_authz.policy.source.problems import quoted
from aegis_authz.policy.source.reader import SourceDocument

_KINDS = ("lists", "patterns", "time_windows", "approvers", "detectors")
_LISTING = {**dict.fromkeys(words_with(Operand.WINDOWS), "time_windows"), "detectors": "detectors"}
_LISTS = ("allowed_tools", "denied_tools")


def unused_findings(ground: Ground) -> Iterator[Finding]:
    """Findings of definitions, of templates and of tools."""
    yield from _definitions(ground)
    yield from _templates(ground)
    yield from _tools(ground)


def _definitions(ground: Ground) -> Iterator[Finding]:
    defining = [source for source in ground.beside if inside(source.value, ("define",)) is not None]
    if not defining:
        return
    roots = {id(entry.loaded.source): entry.loaded.source.places.root for entry in ground.documents}
    raw = [*roots.values(), *(source.value for source in ground.beside)]
    uses = {name for value in raw for name in _uses(value)}
    for source in defining:
        for kind in _KINDS:
            names = inside(source.value, ("define", kind))
            for name in names if isinstance(names, Mapping) else ():
                if (kind, name) not in uses:
                    problem = source.problem(("define", kind, name), f"nothing uses {quoted(name)}", on_key=True)
                    yield finding_of("unused-definition", problem)


def _templates(ground: Ground) -> Iterator[Finding]:
    extended = {entry.document.extends for entry in ground.documents}
    for source in ground.beside:
        name = inside(source.value, ("template",))
        if isinstance(name, str) and name not in extended:
            message = f"no document extends {quoted(name)}; its rules are about nobody"
            yield finding_of("unused-template", source.problem(("template",), message))


def _tools(ground: Ground) -> Iterator[Finding]:
    actions_by_tool: dict[str, set[str]] = {}
    for rule in ground.every_rule():
        actions_by_tool.setdefault(rule.rule.name, set()).update(rule.rule.actions)
    for source in ground.beside:
        for name in _tools_of_template(source.value):
            actions_by_tool.setdefault(name, set())
    limited = _limited_actions(ground)
    for source in ground.tools:
        tool = str(inside(source.value, ("tool",)))
        if tool not in actions_by_tool:
            yield finding_of(
                "unused-tool", source.problem(("tool",), f"no rule names {quoted(tool)}: no agent can call it")
            )
            continue
        known_tool = ground.loaded.known_tools.get(tool)
        if known_tool is not None:
            yield from _open_actions(tool, known_tool, source)
        actions = sorted(name for name in actions_by_tool[tool] | limited[tool] if name != ANY and not is_method(name))
        if known_tool is not None and known_tool.actions is None and actions:
            sample = ", ".join(map(quoted, actions[:3])) + (", ..." if len(actions) > 3 else "")
            message = f"lists no tools, so nothing checks the names and parameters in rules and limits ({sample})"
            yield finding_of("unlisted-mcp-tools", source.problem(("mcp",), message, on_key=True))


def _limited_actions(ground: Ground) -> Mapping[str, set[str]]:
    """The actions that entries of `limits` name, by tool."""
    actions_by_tool: dict[str, set[str]] = defaultdict(set)
    for entry in (entry for document in ground.documents for entry in document.document.limits):
        for tool in entry.tools or ():
            actions_by_tool[tool].update(entry.actions or ())
    return actions_by_tool


def _open_actions(tool: str, known_tool: KnownTool, source: SourceDocument) -> Iterator[Finding]:
    for name in sorted(known_tool.open_actions):
        place = ("mcp", "tools") if known_tool.tool.is_mcp else ("actions",)
        at: Location = (*(("functions",) if known_tool.tool.is_function else place), name, "others")
        message = (
            f"{name} of {quoted(tool)} lets through what it does not list: no rule sees it, and it reaches the tool"
        )
        yield finding_of("open-parameters", source.problem(at, message, on_key=True))


def _tools_of_template(value: Json) -> Iterator[str]:
    for listed in _LISTS:
        rules = inside(value, (listed,))
        for rule in rules if isinstance(rules, list) else ():
            yield str(inside(rule, ("name",)))


def _uses(value: Json, word: str = "") -> Iterator[tuple[str, str]]:
    """The kinds and names of definitions that a document uses, and perhaps some it does not."""
    if isinstance(value, Mapping):
        for key, member in value.items():
            if isinstance(member, str):
                kind = {"list": "lists", "pattern": "patterns", "approvers": "approvers"}.get(key)
                if kind is not None:
                    yield kind, member
            else:
                yield from _uses(member, key)
    elif isinstance(value, list):
        kind = _LISTING.get(word)
        for element in value:
            if kind is not None and isinstance(element, str):
                yield kind, element
            else:
                yield from _uses(element)
