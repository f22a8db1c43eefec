"""Agent keys, the static secrets of clients that can show nothing better: made here, registered by their hash alone.

Every function raises Unable and Rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import yaml

from aegis_authz import durable
from aegis_authz.adapters.files.sources import SourceFolderError, read_sources
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.commands.agents import agent_document
from aegis_authz.commands.faults import Rejected, Unable, unable_on
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.identity.agent_key import key_digest, key_of
from aegis_authz.policy.format.key_entry import EntryUnreadable, with_agent_key
from aegis_authz.policy.language.identities import AgentEntry, AgentKeyEntry
from aegis_authz.policy.load import Loaded, load

MOST_AT_ONCE = 2
"""How many keys of an agent may count at a time: the one in use, and the one that takes its place."""


@dataclass(frozen=True, slots=True)
class NewAgentKey:
    """A key that was made, and the document that registers it. The key is kept nowhere but here."""

    key: str = field(repr=False)
    document: Path
    counting: int
    """How many keys of the agent count now, this one among them."""


@unable_on(SourceFolderError)
def make_agent_key(
    policies: Path, tools: Path, scope: Scope, ranges: Sequence[str], until: str, out: Path | None
) -> NewAgentKey:
    """Make a key and register it in the document of the agent, or in a new one.

    `ranges` are the networks it may come from, `until` the last day it counts (UTC), "" for none. With `out` the key is
    written to that file, which must not exist. Raises Rejected where two keys of the agent count already, PolicyErrors
    where the folder could not be published with it.
    """
    key = key_of(bytes.fromhex(SystemIds().token() + SystemIds().token()))
    sources, catalogue = read_sources(policies), read_sources(tools)
    loaded = load(sources, catalogue)
    counting = _counting(loaded, scope, SystemClock().now()) + 1
    if counting > MOST_AT_ONCE:
        raise Rejected(
            f"two keys of {scope} count already: let one of them end (until: DAY), publish that, and ask again"
        )
    name, text = _document(loaded, sources, scope, _entry(key, ranges, until))
    _require_registered(load({**sources, name: text}, catalogue), scope, key)
    if out is not None:
        _write_key(out, key)
    try:
        durable.replace(policies / name, text.encode("utf-8"), 0o644)
    except OSError as fault:
        if out is not None:
            out.unlink(missing_ok=True)
        raise Unable(f"{policies / name}: {fault.strerror}") from None
    return NewAgentKey(key, policies / name, counting)


def _counting(loaded: Loaded, scope: Scope, now: Epoch) -> int:
    today = datetime.fromtimestamp(now, UTC).date()
    entries = [entry for name, entry in loaded.identities.entries() if name == scope]
    return sum(_counts(key, today) for entry in entries for key in entry.agent_keys or ())


def _counts(key: AgentKeyEntry, today: date) -> bool:
    return key.until is None or date.fromisoformat(key.until) >= today


def _entry(key: str, ranges: Sequence[str], until: str) -> dict[str, object]:
    entry: dict[str, object] = {"hash": f"sha256:{key_digest(key)}", "ranges": list(ranges)}
    return {**entry, "until": until} if until else entry


def _document(loaded: Loaded, sources: dict[str, str], scope: Scope, entry: dict[str, object]) -> tuple[str, str]:
    """The file that registers the key, and its text."""
    line = yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=10_000).strip()
    for agents in loaded.identities.agents:
        if str(scope) in agents.document.agents:
            path = agents.source.path
            try:
                return path, with_agent_key(sources[path], str(scope), line)
            except EntryUnreadable as fault:
                raise Rejected(f"{path}: {fault}; add this by hand:\n  agent_keys:\n    - {line}") from None
    name = agent_document(scope)
    if name in sources:
        raise Rejected(f"{name} is there already and does not register {scope}")
    return name, f"agents:\n  {scope}:\n    ways: [bound, agent_key]\n    agent_keys:\n      - {line}\n"


def _require_registered(loaded: Loaded, scope: Scope, key: str) -> None:
    """What the text says is what was meant, or nothing is written."""
    digest = f"sha256:{key_digest(key)}"
    entries: list[AgentEntry] = [entry for name, entry in loaded.identities.entries() if name == scope]
    if not any("agent_key" in entry.ways and digest in (k.hash for k in entry.agent_keys or ()) for entry in entries):
        raise Rejected(f"the document of {scope} is written in a way that this command cannot add a key to")


def _write_key(out: Path, key: str) -> None:
    try:
        if not durable.create(out, key.encode("ascii") + b"\n"):
            raise Rejected(f"{out} is there already; nothing was made")
    except OSError as fault:
        raise Unable(f"{out}: {fault.strerror}") from None
