"""What tells agents where a tool really is: `Location` and its like, rewritten or taken off by `places.lua`.

Source: envoy/extensions/filters/http/lua/v3. A filter of ours in Lua, because no other filter of Envoy compares the
value of a response header; it never touches a body, so that streams flow on.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import DataSource, Metadata
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua, LuaPerRoute
from envoy_data_plane.google.protobuf import Struct

from aegis_authz.core.catalogue import Tool

PLACES = "envoy.filters.http.lua"
"""The name of the filter, under which it finds what a route says of its tool."""

WITHHELD_HEADER = "x-aegis-withheld"
"""The names of response headers that were taken off because they named a place inside."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


def places_filter() -> Message:
    """The filter, the same on both listeners."""
    code = resources.files("aegis_authz.proxy").joinpath("places.lua").read_text("utf-8")
    return Lua(default_source_code=DataSource(inline_string=code))


def tool_metadata(tool: Tool, prefix: str, called_scheme: str) -> Metadata:
    """What the filter must know of a route's tool. `prefix` is that of a reverse route, "" on the forward listener;
    `called_scheme` is what agents call the tool in.
    """
    scheme, host, port = tool.place
    facts = {
        "scheme": scheme,
        "host": host.lower(),
        "port": str(port),
        "called": tool.authority,
        "called_host": tool.host,
        "called_port": str(tool.port or _DEFAULT_PORTS[called_scheme]),
        "called_scheme": called_scheme,
        "prefix": prefix,
    }
    return Metadata(filter_metadata={PLACES: Struct.from_dict({"tool": facts})})


def inside_hosts(tools: Iterable[Tool]) -> LuaPerRoute:
    """The hosts of all tools that no agent calls by that name."""
    every = tuple(tools)
    hosts = {tool.place.host.lower() for tool in every} - {tool.host for tool in every}
    return LuaPerRoute(filter_context=Struct.from_dict({"inside": dict.fromkeys(sorted(hosts), True)}))
