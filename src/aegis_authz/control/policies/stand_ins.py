"""Agents that a mesh on one machine registers by itself, until a document of the operator's own registers them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aegis_authz.policy.source.reader import read_source

LOCAL_AGENTS = "local-agents.yaml"
"""The file of Aegis's own documents that registers them, as JSON (`aegis up` writes it)."""


def yielding(own: Mapping[str, str], published: Mapping[str, str]) -> dict[str, str]:
    """Aegis's own documents, without the local registration of an agent that a published document registers."""
    documents = dict(own)
    for path in [path for path in own if path.endswith(f"/{LOCAL_AGENTS}")]:
        names, local = _registered(published), json.loads(own[path])["agents"]
        left = {name: entry for name, entry in local.items() if name not in names}
        documents[path] = json.dumps({"agents": left})
        if not left:
            del documents[path]
    return documents


def _registered(published: Mapping[str, str]) -> set[str]:
    names: set[str] = set()
    for path, text in published.items():
        if "agents" not in text:
            continue
        for document in read_source(path, text)[0]:
            agents = document.value.get("agents") if isinstance(document.value, Mapping) else None
            names |= set(agents) if isinstance(agents, Mapping) else set()
    return names
