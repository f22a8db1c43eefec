"""Compiled policies as they are before scopes share their forms: every scope with all that Rego finds for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def written_out(policies: Any) -> dict[str, Any]:
    """The documents and plain rules of each scope; `policies` are those of a bundle."""
    return {scope: _node(policies["forms"][own[0]], own) for scope, own in policies["scopes"].items()}


def unshared(policies: Any) -> dict[str, Any]:
    """The same policies with a form for each scope, whose documents have their texts in place."""
    forms, scopes = [], {}
    for number, (scope, own) in enumerate(policies["scopes"].items()):
        form = policies["forms"][own[0]]
        modes = {mode: [_document(document, own) for document in form[mode]] for mode in ("enforce", "shadow")}
        titles = {mode: [document["name"] for document in documents] for mode, documents in modes.items()}
        forms.append({**form, **modes, "titles": titles})
        scopes[scope] = [number, *own[1:]]
    return {**policies, "forms": forms, "scopes": scopes}


def _node(form: Any, own: Sequence[Any]) -> Any:
    modes = {mode: [_document(document, own) for document in form[mode]] for mode in ("enforce", "shadow")}
    if "plain" not in form:
        return modes
    lists = ("policies", "limits")
    return {
        **modes,
        "plain": _by_action(form["plain"], lambda rule: rule | {member: own[rule[member]] for member in lists}),
    }


def _document(document: Any, own: Sequence[Any]) -> Any:
    tools = _by_action(document["tools"], lambda rules: [_limited(rule, own) for rule in rules])
    whole = {**document, "name": _texts([document["name"]], own)[0], "tools": tools}
    if "limits" in document:
        whole["limits"] = _by_action(document["limits"], lambda ids: sorted(_texts(ids, own)))
    return whole


def _limited(rule: Any, own: Sequence[Any]) -> Any:
    return {**rule, "limits": sorted(_texts(rule["limits"], own))} if "limits" in rule else rule


def _texts(texts: Any, own: Sequence[Any]) -> list[str]:
    return [own[text] if isinstance(text, int) else text for text in texts]


def _by_action(tools: Any, whole: Any) -> Any:
    return {tool: {action: whole(entry) for action, entry in actions.items()} for tool, actions in tools.items()}
