"""Settings of the process that keeps an Envoy's configuration."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.config.values import Settings


class RoutesSettings(Settings):
    """What writes Envoy's configuration beside it (`aegis serve routes`).

    `proxy` is what is rendered; `folder` gets envoy.yaml, which Envoy is started with. Routes and clusters are those of
    the bundle that the OPA at `opa_socket` runs. `ready_socket` is a unix socket for GET /readyz.
    """

    opa_socket: Path
    folder: Path
    ready_socket: str
    proxy: ProxySettings
