"""Quarantines and limits of a mesh, for operators. Every function raises Unable and Rejected."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.api.agents import RestoredAnswer
from aegis_authz.api.limits import LimitsAnswer, LimitsResetAnswer, QuarantineAnswer, QuarantinesAnswer
from aegis_authz.commands.control import control_plane
from aegis_authz.core.scope import Scope


def list_quarantined(state: Path) -> QuarantinesAnswer:
    """The quarantined agents of the mesh in this folder."""
    with control_plane(state) as control:
        return control.quarantines()


def quarantine(state: Path, scope: Scope, seconds: float, note: str) -> QuarantineAnswer:
    """Refuse every call of an agent for a while."""
    with control_plane(state) as control:
        return control.quarantine(scope, seconds, note)


def release(state: Path, scope: Scope, note: str) -> RestoredAnswer:
    """Let policy judge a quarantined agent again."""
    with control_plane(state) as control:
        return control.release(scope, note)


def limits_of(state: Path, scope: Scope) -> LimitsAnswer:
    """How the limits of an agent stand."""
    with control_plane(state) as control:
        return control.limits_of(scope)


def reset_limits(state: Path, note: str) -> LimitsResetAnswer:
    """Count nothing that was charged as forgotten, from now on."""
    with control_plane(state) as control:
        return control.reset_limits(note)
