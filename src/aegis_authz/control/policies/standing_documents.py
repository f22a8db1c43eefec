"""Standing decisions among the documents of a mesh: they are published beside the folders, and are of none."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.approvals.standing_decision import FOLDER
from aegis_authz.core.release import Sources
from aegis_authz.policy.source.problems import PolicyErrors, Problem


def with_standing(sources: Sources, served: Sources) -> Sources:
    """These documents and the standing decisions that are served. Raises PolicyErrors for others."""
    standing = standing_among(served.policies)
    strange = sorted(set(standing_among(sources.policies).items()) - set(standing.items()))
    if strange:
        message = f"{FOLDER} is for standing decisions: give the document another name"
        raise PolicyErrors([Problem(path, 1, 1, "", message) for path, _ in strange])
    return Sources({**sources.policies, **standing}, sources.tools)


def with_document(sources: Sources, path: str, text: str) -> Sources:
    """These documents and that one, in place of what is at its path."""
    return Sources({**sources.policies, path: text}, sources.tools)


def folder_of(sources: Sources) -> Sources:
    """These documents without the standing decisions among them."""
    folder = {path: text for path, text in sources.policies.items() if not path.startswith(FOLDER)}
    return Sources(folder, sources.tools)


def without_document(sources: Sources, path: str) -> Sources:
    """These documents without the one at that path."""
    return Sources({name: text for name, text in sources.policies.items() if name != path}, sources.tools)


def standing_among(policies: Mapping[str, str]) -> dict[str, str]:
    """The standing decisions among documents, by their files."""
    return {path: text for path, text in policies.items() if path.startswith(FOLDER)}
