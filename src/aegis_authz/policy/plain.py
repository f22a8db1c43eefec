"""What is known of an agent's calls before any is made: the actions that one list of conditions settles.

Most calls meet rules that allow, and every condition holds. For each agent with a document of its own the rules that
apply to a named action are gathered here from all documents that cover the agent. Where all of them simply allow,
the conditions of all together are kept as the action's *plain* rule: a call for which they hold is allowed. Rego
tries it first and judges in full whatever does not meet it, so a plain rule may be missing and must never be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.policy.canonical_json import canonical
from aegis_authz.policy.words import ANY

Document = Mapping[str, Json]
Scopes = Mapping[str, Mapping[str, Sequence[Document]]]
"""By scope: the compiled documents that `enforce` and those that `shadow`."""

_Rule = Mapping[str, Json]


def plain_rules(scope: str, scopes: Scopes) -> dict[str, Json]:
    """The plain rules of one agent, by tool and action; none when a shadow document covers it.

    `scope` is `org/tenant/agent`, each a name.
    """
    covering = [scopes[name] for name in _covering(scope) if name in scopes]
    if any(modes["shadow"] for modes in covering):
        return {}
    documents = [document for modes in covering for document in modes["enforce"]]
    found: dict[str, Json] = {}
    for tool in sorted({tool for document in documents for tool in _object(document["tools"])}):
        plain = _of_tool(tool, documents)
        if plain:
            found[tool] = plain
    return found


def _covering(scope: str) -> list[str]:
    covering = [""]
    for name in scope.split("/"):
        covering = [f"{prefix}/{part}" if prefix else part for prefix in covering for part in (name, ANY)]
    return covering


def _of_tool(tool: str, documents: Iterable[Document]) -> dict[str, Json]:
    rules: list[tuple[str, str, _Rule]] = [
        (str(document["name"]), action, _object(rule))
        for document in documents
        for action, listed in _object(_object(document["tools"]).get(tool, {})).items()
        for rule in _list(listed)
    ]
    plain: dict[str, Json] = {}
    for wanted in sorted({action for _, action, _ in rules if action != ANY}):
        applying = [(name, rule) for name, action, rule in rules if action in (wanted, ANY)]
        if all(rule["effect"] == Effect.ALLOW.value and not rule["redact"] for _, rule in applying):
            plain[wanted] = {
                "policies": [*sorted({name for name, _ in applying})],
                "checks": _together(check for _, rule in applying for check in _checks(rule)),
            }
    return plain


def _checks(rule: _Rule) -> Iterator[Json]:
    """What must hold of a parameter, which must be there under its own name: one flat list, for Rego pays by the loop."""
    for spec in map(_object, _list(rule["parameters"])):
        checks = [_object(check) for check in _list(spec["checks"])]
        if not _imply_type({str(check["condition"]) for check in checks}, spec["type"]):
            yield {"parameter": spec["name"], "condition": "type", "limit": spec["type"]}
        yield from ({"parameter": spec["name"], **check} for check in checks)
    yield from _list(rule["thresholds"])


def _imply_type(conditions: set[str], kind: Json) -> bool:
    """Whether no value of another type meets all these conditions."""
    if kind == "string":
        return not conditions.isdisjoint(("equals", "in", "matches", "starts_with"))
    if kind == "number" and {"min", "max"} <= conditions:
        return True  # Rego orders the types too: what lies between two numbers is a number
    return kind in ("number", "boolean") and not conditions.isdisjoint(("equals", "in"))


def _together(checks: Iterable[Json]) -> list[Json]:
    """All of them, each once, in a fixed order."""
    return [check for _, check in sorted({canonical(one): one for one in checks}.items())]


def _object(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise TypeError("not an object")
    return value


def _list(value: Json) -> Sequence[Json]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value
