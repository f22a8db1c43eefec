"""Settings of the service of certificates."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from aegis_authz.config.values import LoopbackAddress, Settings, SocketMode


class CertificateSettings(Settings):
    """The one process that has the authority's key, in the folder `authority`. A certificate lives `leaf_hours`; of the
    names that clients choose `most_names` get one. `listen_mode` is that of its socket; `ready_socket` is a unix socket
    for GET /readyz.
    """

    listen: LoopbackAddress  # private keys pass it in the clear
    listen_mode: SocketMode = "0600"
    authority: Path
    ready_socket: str
    leaf_hours: float = Field(default=24, gt=0, le=168)
    most_names: int = Field(default=2000, ge=1)
    names_per_minute: int = Field(default=120, ge=1)
