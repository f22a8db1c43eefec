"""What scopes have in common, stored once: agents whose documents differ in names alone share one *form*.

Most of what OPA holds in memory would otherwise be the same rules again for each agent. A form is all that is compiled
of a scope: its documents by mode, their titles, and its plain rules. Where a text is of this scope alone, the title of
one of its documents or the id of one of its limits, a form has a number in place of it; the scope has the number of its
form and then those texts, in order, so that number 1 is the first of them. What a plain rule names is a list in that
place, whole. Rego puts them together again (`rego/forms.rego`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aegis_authz.core.json_value import Json
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.compile.json_shapes import list_of, object_of, text_of
from aegis_authz.policy.compile.plain_checks import by_kind

_MODES: Final = ("enforce", "shadow")
_PLAIN_TEXTS: Final = ("policies", "limits")

_Own = str | tuple[str, ...]


def shared_forms(scopes: Mapping[str, Json]) -> dict[str, Json]:
    """`scopes` as what they share, `forms`, and what each has of its own, `scopes`: members of a bundle's policies.

    Each scope has its compiled documents, by mode, and may have `plain` rules (`fast_path.plain_rules`).
    """
    forms: dict[bytes, Json] = {}
    drafts: dict[str, tuple[bytes, list[Json]]] = {}
    for scope, node in scopes.items():
        texts = OwnTexts()
        form = _form(object_of(node), texts)
        key = canonical(form)
        forms.setdefault(key, form)
        drafts[scope] = key, texts.listed
    order = {key: number for number, key in enumerate(sorted(forms))}
    return {
        "forms": [forms[key] for key in order],
        "scopes": {scope: [order[key], *texts] for scope, (key, texts) in drafts.items()},
    }


class OwnTexts:
    """The texts of one scope alone, numbered from 1 in the order in which they were met, and lists of texts."""

    def __init__(self) -> None:
        self._numbers: dict[_Own, int] = {}

    @property
    def listed(self) -> list[Json]:
        """All of them, in order."""
        return [own if isinstance(own, str) else [*own] for own in self._numbers]

    def own(self, text: str) -> int:
        """The number of a text of this scope."""
        return self._numbering(text)

    def all_own(self, texts: Json) -> list[Json]:
        """The numbers of a list of texts of this scope."""
        return [self.own(text_of(text)) for text in list_of(texts)]

    def together(self, texts: Json) -> int:
        """The number of a list of texts, whosever they are."""
        return self._numbering(tuple(map(text_of, list_of(texts))))

    def _numbering(self, own: _Own) -> int:
        return self._numbers.setdefault(own, len(self._numbers) + 1)


def _form(node: Mapping[str, Json], texts: OwnTexts) -> dict[str, Json]:
    modes: dict[str, Json] = {
        mode: [_document(object_of(document), texts) for document in list_of(node[mode])] for mode in _MODES
    }
    titles: dict[str, Json] = {mode: [object_of(entry)["name"] for entry in list_of(modes[mode])] for mode in _MODES}
    form = {**modes, "titles": titles}
    if "plain" not in node:
        return form
    return {**form, "plain": _by_action(node["plain"], lambda rule: _plain(object_of(rule), texts))}


def _document(document: Mapping[str, Json], texts: OwnTexts) -> dict[str, Json]:
    name = texts.own(text_of(document["name"]))
    tools = _by_action(document["tools"], lambda rules: [_rule(object_of(rule), texts) for rule in list_of(rules)])
    if "limits" not in document:
        return {**document, "name": name, "tools": tools}
    return {**document, "name": name, "tools": tools, "limits": _by_action(document["limits"], texts.all_own)}


def _rule(rule: Mapping[str, Json], texts: OwnTexts) -> Json:
    return {**rule, "limits": texts.all_own(rule["limits"])} if "limits" in rule else rule


def _plain(rule: Mapping[str, Json], texts: OwnTexts) -> Json:
    """A plain rule: it may be made of documents of wider scopes, too, whose texts are no more this scope's own."""
    return {**by_kind(rule["checks"]), **{member: texts.together(rule[member]) for member in _PLAIN_TEXTS}}


def _by_action(tools: Json, formed: Callable[[Json], Json]) -> dict[str, Json]:
    """What is compiled by tool and action; in order of names, so that numbers do not depend on how it was written."""
    return {
        tool: {action: formed(compiled) for action, compiled in sorted(object_of(actions).items())}
        for tool, actions in sorted(object_of(tools).items())
    }
