"""Agents of a mesh: stop one at once, let it go on, see who is stopped. Every function raises Unable and Rejected."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.api.agents import RestoredAnswer, RevocationAnswer, RevocationsAnswer
from aegis_authz.commands.control import control_plane
from aegis_authz.core.scope import Scope


def list_revoked(state: Path) -> RevocationsAnswer:
    """The revoked agents of the mesh in this folder, newest first."""
    with control_plane(state) as control:
        return control.revocations()


def revoke(state: Path, scope: Scope, by: str, note: str) -> RevocationAnswer:
    """Refuse every call of the agent, from the next one on."""
    with control_plane(state) as control:
        return control.revoke(scope, by, note)


def restore(state: Path, scope: Scope, by: str, note: str) -> RestoredAnswer:
    """Let policy judge a revoked agent again."""
    with control_plane(state) as control:
        return control.restore(scope, by, note)
