"""Every small mistake one could make in a document or template, one at a time."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.core.json_value import Json
from aegis_authz.lab.condition_changes import condition_changes
from aegis_authz.lab.edits import Edit, elements, members, removed, replaced, without_each, words_of
from aegis_authz.lab.limit_changes import breaker_changes, limit_changes
from aegis_authz.policy.source.places import inside
from aegis_authz.policy.source.reader import Location

_NOBODY_CALLS: Json = {"name": "removed-rule", "actions": ["removed"]}
_DIRECTIONS = ("request", "response")


def document_changes(root: Json) -> Iterator[Edit]:
    """The changes of a document as it was read, with every name written out; not all of them are documents."""
    document = members(root, ())
    if "agent" in document and document.get("mode", "enforce") == "enforce":
        yield Edit(("mode",), "mode is shadow", replaced(root, ("mode",), "shadow"))
    for listed in ("allowed_tools", "denied_tools"):
        for at, rule in elements(root, (listed,)):
            # a stand-in keeps the places of the rules after it, by which denials are named
            remainder = replaced(root, at, _NOBODY_CALLS)
            yield Edit(at, f"the rule for {words_of(inside(rule, ('name',)))} is removed", remainder)
            yield from without_each(root, (*at, "actions"), "action")
            yield from condition_changes(root, (*at, "conditions"), denying=listed == "denied_tools")
            yield from _demand_changes(root, at)
            if listed == "allowed_tools":
                yield from limit_changes(root, at)
    yield from _entry_changes(root)
    yield from breaker_changes(root)
    if "regions" in document:
        yield Edit(("regions",), "regions are removed", removed(root, ("regions",)))
        yield from without_each(root, ("regions",), "region")
    yield from _egress_changes(root)


def _demand_changes(root: Json, at: Location) -> Iterator[Edit]:
    """What a rule that allows demands besides."""
    for word in ("sanitize", "approval", "obligations"):
        if word in members(root, at):
            are = "are" if word.endswith("s") else "is"
            yield Edit((*at, word), f"{word} {are} removed", removed(root, (*at, word)))
    sanitize = (*at, "sanitize")
    for direction in _DIRECTIONS:
        where = (*sanitize, direction)
        if direction in members(root, sanitize):
            yield Edit(where, f"sanitize of the {direction} is removed", removed(root, where))
        for word, kind in (("detectors", "detector"), ("fields", "field")):
            if word in members(root, where):
                yield Edit((*where, word), f"{word} of the {direction} are removed", removed(root, (*where, word)))
            yield from without_each(root, (*where, word), f"{direction} {kind}")
    approval = (*at, "approval")
    if members(root, approval).get("always") is True:
        yield Edit((*approval, "always"), "always is removed", removed(root, (*approval, "always")))
    if "groups" in members(root, approval):
        remainder = removed(root, (*approval, "groups"))
        yield Edit((*approval, "groups"), "groups are removed: any approver may approve", remainder)
    yield from without_each(root, (*approval, "groups"), "group")
    for word, weaker in (("proof", "a press in a chat counts"), ("unattended", "the call waits on")):
        if word in members(root, approval):
            yield Edit((*approval, word), f"{word} is removed: {weaker}", removed(root, (*approval, word)))
    for word in ("set_headers", "inject_credentials"):
        where = (*at, "obligations", word)
        if word in members(root, where[:-1]):
            yield Edit(where, f"{word} are removed", removed(root, where))
        yield from without_each(root, where, word)


def _entry_changes(root: Json) -> Iterator[Edit]:
    """What the document limits as a whole."""
    entries = [*elements(root, ("limits",))]
    for at, entry in entries:
        name = inside(entry, ("name",))
        rest = removed(root, at) if len(entries) > 1 else removed(root, ("limits",))
        yield Edit(at, f"the entry {words_of(name) if name else at[-1]} of limits is removed", rest)
        for word in ("tools", "actions"):
            yield from without_each(root, (*at, word), word)
        if "actions" in members(root, at):
            yield Edit((*at, "actions"), "actions are removed", removed(root, (*at, "actions")))
        yield from _demand_changes(root, at)
        yield from limit_changes(root, at)


def _egress_changes(root: Json) -> Iterator[Edit]:
    allow = ("egress", "allow")
    for at, entry in elements(root, allow):
        yield Edit(at, f"egress to {words_of(entry)} is removed", removed(root, at))
        for word in ("ports", "schemes", "methods"):
            if word in members(root, at):
                yield Edit((*at, word), f"{word} of {words_of(entry)} are removed", removed(root, (*at, word)))
            yield from without_each(root, (*at, word), word)
