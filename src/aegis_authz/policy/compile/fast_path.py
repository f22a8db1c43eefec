"""What is known of an agent's calls before any is made: the actions that one list of conditions settles.

Most calls meet rules that allow, and every condition holds. For each agent with a document of its own the rules that
apply to a named action are gathered here from all documents that cover the agent. Where all of them simply allow,
the conditions of all together are kept as the action's *plain* rule, with the limits that such a call meets: a call for
which they hold is allowed. Rego tries it first and judges in full whatever does not meet it, so a plain rule may be
missing and must never be wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.scope_shape import ScopeShape, covering
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.compile.json_shapes import list_of, object_of
from aegis_authz.policy.language.operators import OF_OPERAND, OPERATORS
from aegis_authz.policy.language.types import ANY

Document = Mapping[str, Json]
Scopes = Mapping[str, Mapping[str, Sequence[Document]]]
"""By scope: the compiled documents that `enforce` and those that `shadow`."""

_Rule = Mapping[str, Json]
_SETTLING = {word for word, operator in OPERATORS.items() if operator.settles_type}
_SETTLED = ("string", "number", "boolean", "array")
_NOT_PLAIN = frozenset(("than", "path"))  # compares with another parameter, or looks into a list


def plain_rules(
    scope: str, scopes: Scopes, shapes: Collection[ScopeShape], regions: Mapping[str, str]
) -> dict[str, Json]:
    """The plain rules of one agent, by tool and action; none when a shadow document covers it.

    `scope` is `org/tenant/agent`, each a name; `shapes` are those of all scopes; `regions` of tools, by name.
    """
    about = [scopes[name] for name in covering(scope, shapes) if name in scopes]
    if any(modes["shadow"] for modes in about):
        return {}
    documents = [document for modes in about for document in modes["enforce"]]
    tools: dict[str, Json] = {}
    for tool in sorted({tool for document in documents for tool in object_of(document["tools"])}):
        if any(not _reaches(document, regions.get(tool)) for document in documents):
            continue
        plain = _of_tool(tool, documents)
        if plain:
            tools[tool] = plain
    return tools


def _reaches(document: Document, region: str | None) -> bool:
    return document["regions"] is None or region in list_of(document["regions"])


def _of_tool(tool: str, documents: Sequence[Document]) -> dict[str, Json]:
    rules: list[tuple[str, str, _Rule]] = [
        (str(document["name"]), action, object_of(rule))
        for document in documents
        for action, listed in object_of(object_of(document["tools"]).get(tool, {})).items()
        for rule in list_of(listed)
    ]
    denied = {action for document in documents for action in object_of(object_of(document["denied"]).get(tool, {}))}
    limited = [*_limited(tool, documents)]
    plain: dict[str, Json] = {}
    listed = {action for _, action, _ in rules} - {ANY}
    if ANY in denied:
        return plain
    # one that is denied is told from others as well: a denial is of all its spellings
    unlike = _unlike_any_other(listed | denied | ({action for action, _ in limited} - {ANY}))
    for action_name in sorted((listed - denied) & unlike):
        applying = [(name, rule) for name, action, rule in rules if action in (action_name, ANY)]
        if all(_simply_allows(rule) for _, rule in applying):
            plain[action_name] = {
                "policies": [*sorted({name for name, _ in applying})],
                "checks": _together(check for _, rule in applying for check in _checks(rule)),
                "limits": [*sorted({*_rule_limits(applying), *_entry_limits(action_name, limited)})],
            }
    return plain


def _unlike_any_other(actions: Collection[str]) -> set[str]:
    """Those of the actions that no other could be a spelling of: what another spelling limits is limited in all, and
    a document that lists an action in another spelling alone denies it. Rego knows which are alike.
    """
    if len(actions) > 1 and not all(map(_is_plainly_spelt, actions)):
        return set()
    alike = Counter(map(_spelling, actions))
    return {action for action in actions if alike[_spelling(action)] == 1}


def _is_plainly_spelt(action: str) -> bool:
    return action.isascii() and action.isprintable()


def _spelling(action: str) -> str:
    return action.strip().lower()


def _limited(tool: str, documents: Iterable[Document]) -> Iterator[tuple[str, Sequence[Json]]]:
    """The ids of the entries of `limits` about a tool, by action."""
    for document in documents:
        tools = object_of(document.get("limits", {}))
        for name in (tool, ANY):
            yield from ((action, list_of(ids)) for action, ids in object_of(tools.get(name, {})).items())


def _entry_limits(action: str, limited: Iterable[tuple[str, Sequence[Json]]]) -> Iterator[str]:
    for name, ids in limited:
        if name in (action, ANY):
            yield from map(str, ids)


def _rule_limits(rules: Iterable[tuple[str, _Rule]]) -> Iterator[str]:
    for _, rule in rules:
        yield from map(str, list_of(rule.get("limits", [])))


def _simply_allows(rule: _Rule) -> bool:
    return (
        rule["effect"] == Effect.ALLOW.value
        and not rule["redact"]
        and not rule["headers"]
        and all(_is_plain(object_of(spec)) for spec in list_of(rule["values"]))
    )


def _is_plain(spec: _Rule) -> bool:
    """Whether it asks of one parameter alone, by its name alone."""
    return (
        spec["of"] == "parameters"
        and len(list_of(spec["path"])) == 1
        and "forbidden" not in spec
        and all(_NOT_PLAIN.isdisjoint(object_of(check)) for check in (*list_of(spec["checks"]), *list_of(spec["asks"])))
    )


def _checks(rule: _Rule) -> Iterator[Json]:
    """What must hold of a parameter, which must be there under its own name: one flat list,
    for Rego pays by the loop.
    """
    for spec in map(object_of, list_of(rule["values"])):
        checks = [object_of(check) for check in list_of(spec["checks"])]
        name = list_of(spec["path"])[0]
        if not _imply_type({str(check["condition"]) for check in checks}, spec["type"]):
            yield {"parameter": name, "condition": "type", "limit": spec["type"]}
        yield from ({"parameter": name, **check} for check in checks)
        yield from ({"parameter": name, **object_of(check)} for check in list_of(spec["asks"]))


def _imply_type(conditions: set[str], kind: Json) -> bool:
    """Whether no value of another type meets all these conditions."""
    if kind == "number" and {"min", "max"} <= conditions:
        return True  # Rego orders the types too: what lies between two numbers is a number
    return any(OPERATORS[word].json_type in (kind, OF_OPERAND) for word in conditions & _SETTLING) and kind in _SETTLED


def _together(checks: Iterable[Json]) -> list[Json]:
    """All of them, each once, in a fixed order."""
    return [check for _, check in sorted({canonical(entry): entry for entry in checks}.items())]
