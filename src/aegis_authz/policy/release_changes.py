"""What differs between the documents of two revisions: policies by their rules, tools by their entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aegis_authz.core.json_value import Json
from aegis_authz.core.release import Sources
from aegis_authz.policy.catalogue_changes import (
    catalogue_changes,
    message_changes,
    model_prices,
    price_changes,
    tool_entries,
)
from aegis_authz.policy.compile.descriptor_sets import parted
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.policy_changes import policy_changes
from aegis_authz.policy.source.reader import read_source


@dataclass(frozen=True, slots=True)
class ReleaseChange:
    """A difference: `mark` is + for what is new, - for what is gone and ~ for what is another.

    `name` is the policy's title, the tool's name or the agent; `at` is the rule, action or model, "" for the whole.
    """

    mark: str
    noun: Literal["policy", "tool", "agent", "issuer", "residency"]
    name: str
    at: str
    sentence: str


def release_changes(before: tuple[Sources, Loaded], after: tuple[Sources, Loaded]) -> tuple[ReleaseChange, ...]:
    """The differences between two sets of documents, each as they were written and as they were read."""
    (old_sources, old), (new_sources, new) = before, after
    changes = [
        ReleaseChange(change.mark, "policy", change.policy, change.at, change.sentence)
        for change in policy_changes(old.compiled, new.compiled)
    ]
    return (*changes, *_tool_changes(old_sources, new_sources, old, new), *_identity_changes(old, new))


def _tool_changes(before: Sources, after: Sources, old: Loaded, new: Loaded) -> Iterator[ReleaseChange]:
    was, now = _documents(before.tools), _documents(after.tools)
    interfaces = [{tool.name: tool.interface for tool in loaded.tools} for loaded in (old, new)]
    changes = (
        *catalogue_changes(tool_entries(was), tool_entries(now)),
        *price_changes(model_prices(was), model_prices(now)),
        *message_changes(*interfaces),
    )
    for change in changes:
        yield ReleaseChange(change.mark, "tool", change.tool, change.action, change.sentence)


def _documents(texts: Mapping[str, str]) -> Sequence[Mapping[str, Json]]:
    readings = (read_source(path, text)[0] for path, text in sorted(parted(texts)[0].items()))
    return [source.value for sources in readings for source in sources if isinstance(source.value, Mapping)]


def _identity_changes(old: Loaded, new: Loaded) -> Iterator[ReleaseChange]:
    agents = [{str(scope): entry for scope, entry in loaded.identities.entries()} for loaded in (old, new)]
    yield from _of_mappings("agent", *agents)
    issuers = [{issuer.issuer: issuer for issuer in loaded.identities.issuers()} for loaded in (old, new)]
    yield from _of_mappings("issuer", *issuers)
    regions = [None if loaded.residency is None else loaded.residency.document for loaded in (old, new)]
    if regions[0] != regions[1]:
        yield ReleaseChange("~", "residency", "residency", "", "which tenants are at home where is another")


def _of_mappings(
    noun: Literal["agent", "issuer"], old: Mapping[str, object], new: Mapping[str, object]
) -> Iterator[ReleaseChange]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield ReleaseChange("+", noun, name, "", "is registered" if noun == "agent" else "is trusted")
        elif name not in new:
            yield ReleaseChange("-", noun, name, "", "is registered" if noun == "agent" else "is trusted")
        elif old[name] != new[name]:
            sentence = "its registration is another" if noun == "agent" else "what it is trusted with is another"
            yield ReleaseChange("~", noun, name, "", sentence)
