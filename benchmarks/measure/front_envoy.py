"""The Envoy in front of one contender: the product's own, its authorizer another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthz
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.google.protobuf import Any

import aegis_authz.proxy  # noqa: F401  # first: it imports Envoy's types, here where it is quiet
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.local.settings import trusted_authorities
from aegis_authz.local.tcp_ports import choose_ports
from aegis_authz.proxy.bootstrap import bootstrap
from aegis_authz.proxy.render import write_xds
from benchmarks.measure.bare_envoy import envoy_running


@asynccontextmanager
async def front(
    folder: Path, authz: str, catalogue: Catalogue, *, joined: bool = False, collector: str = ""
) -> AsyncIterator[tuple[str, int]]:
    """Run it while the block lasts; gives its URL and pid.

    `authz` is the authorizer's address, `collector` that of Envoy's spans, "" for none. `joined`: it reads headers as
    one map and bodies as text, as most do.
    """
    port = choose_ports({"front": 0}, {})["front"]
    settings = ProxySettings(
        forward_port=port,
        reverse_port=0,
        admin_socket=str(folder / "admin.sock"),
        authz=(authz,),
        xds=folder / "xds",
        access_log=folder / "access.log",
        ca_file=trusted_authorities(),
        collector=collector,
    )
    folder.mkdir(parents=True)  # noqa: ASYNC240  # before anything is served
    write_xds(settings, catalogue)
    async with envoy_running(folder, _adapted(bootstrap(settings), joined), settings.admin_socket) as pid:
        yield f"http://127.0.0.1:{port}", pid


def _adapted(message: Bootstrap, joined: bool) -> Bootstrap:
    """Without the health checks, which not everyone answers; with headers and bodies as the contender reads them."""
    if message.static_resources is None:
        raise ValueError("a bootstrap without listeners")
    for cluster in message.static_resources.clusters:
        cluster.health_checks, cluster.outlier_detection = [], None
    for listener in message.static_resources.listeners if joined else []:
        network = listener.filter_chains[0].filters[0]
        manager = network.typed_config.unpack() if network.typed_config is not None else None
        if not isinstance(manager, HttpConnectionManager):
            raise TypeError("the listener's filter is no connection manager")
        for http_filter in manager.http_filters:
            check = http_filter.typed_config.unpack() if http_filter.typed_config is not None else None
            if isinstance(check, ExtAuthz):
                check.encode_raw_headers, check.allowed_headers = False, None
                if check.with_request_body is not None:
                    check.with_request_body.pack_as_bytes = False
                http_filter.typed_config = Any.pack(check)
        network.typed_config = Any.pack(manager)
    return message
