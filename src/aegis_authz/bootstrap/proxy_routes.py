"""The routes of an Envoy that watches a folder, by the settings its configuration was rendered from."""

from __future__ import annotations

from pathlib import Path

import aegis_authz.proxy  # noqa: F401  # loads what it needs quietly
from aegis_authz.bootstrap.settings import load_settings
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.proxy.render import write_xds


class ProxyRoutes:
    """`ports.Routes` as files."""

    def __init__(self, settings: Path) -> None:
        """Raises SettingsError, OSError."""
        self._settings = load_settings(settings, ProxySettings)

    def show(self, catalogue: Catalogue) -> None:
        """Write routes and clusters; the Envoy takes them at once. Raises OSError, ValueError."""
        write_xds(self._settings, catalogue)
