"""Settings of a control plane for tests."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.config.control import ControlSettings


def control_settings(folder: Path, **members: object) -> ControlSettings:
    """Those of a control plane all of whose files are in `folder`, and whose Redis is not there, but for `members`."""
    folders = {name: folder / name for name in ("records", "keys", "policies", "tools")}
    content = {
        "listen": "127.0.0.1:0",
        "public_url": "http://127.0.0.1:7000",
        "state": folder / "control",
        "redis": "unix:///nowhere",
    }
    return ControlSettings.model_validate({**content, **folders, **members})
