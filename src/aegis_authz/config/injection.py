"""Settings of the webhook that gives pods their gateway."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.config.values import PortAddress, Settings


class InjectionSettings(Settings):
    """The API server asks at `listen`, by TLS with `certificate` and `key` (PEM, read again when they are replaced).
    `injection` is the file of what pods get, as the chart writes it.
    """

    listen: PortAddress
    certificate: Path
    key: Path
    injection: Path
