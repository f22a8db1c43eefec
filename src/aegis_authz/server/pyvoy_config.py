"""The Envoy that is the pyvoy host: one listener, HTTP/2, and the ASGI application behind it.

pyvoy itself names its filter; the rest is ours, because it listens on TCP alone and limits streams in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyvoy

_UNIX = "unix:"
_HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_STREAMS = 10_000  # at once on one connection; how many are judged at once is the handlers' business


def pyvoy_config(address: str, application: str) -> Mapping[str, Any]:
    """The configuration of that Envoy, as JSON.

    `address` is `unix:/path` or `host:port`, `application` `module:attribute`.
    """
    offered = pyvoy.PyvoyServer(application, worker_threads=1, lifespan=True).get_envoy_config()
    manager = offered["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][-1]["typed_config"]
    return {
        "static_resources": {
            "listeners": [
                {
                    "name": "authz",
                    "address": _address(address),
                    "filter_chains": [{"filters": [_manager(manager["http_filters"])]}],
                }
            ]
        },
    }


def _manager(filters: object) -> Mapping[str, Any]:
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": _HTTP,
            "stat_prefix": "authz",
            "codec_type": "HTTP2",
            "http2_protocol_options": {"max_concurrent_streams": _STREAMS},
            "generate_request_id": False,
            # a body is redacted for as long as its response lasts
            "stream_idle_timeout": "0s",
            "request_timeout": "0s",
            "http_filters": filters,
            "route_config": {"virtual_hosts": [{"name": "authz", "domains": ["*"]}]},
        },
    }


def _address(address: str) -> Mapping[str, Any]:
    if address.startswith(_UNIX):
        return {"pipe": {"path": address.removeprefix(_UNIX), "mode": 0o600}}
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}
