"""The signing keys of a mesh: replaced while they are in use."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.api.keys import RotatedAnswer
from aegis_authz.commands.control import control_plane


def rotate(state: Path, name: str, wait: float) -> RotatedAnswer:
    """Sign with a new key, once every OPA trusts it. Raises Unable and Rejected."""
    with control_plane(state) as control:
        return control.rotate(name, wait)
