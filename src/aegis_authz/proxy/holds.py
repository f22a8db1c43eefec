"""Routes of tools whose requests may be kept open while a person decides: there Envoy has the time for it."""

from __future__ import annotations

from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import CheckSettings, ExtAuthzPerRoute

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.proxy.authorizers import NO_HOLD, check_service
from aegis_authz.proxy.clusters import cluster_name
from aegis_authz.proxy.filters import EXT_AUTHZ
from aegis_authz.proxy.typed import packed


def with_holds(routes: RouteConfiguration, settings: ProxySettings, catalogue: Catalogue) -> RouteConfiguration:
    """The same routes; those that lead to where a request may be kept open have the time for it, and no others.

    Several tools at one place share a route, and the longest of their holds.
    """
    if not catalogue.holds:
        return routes
    holds = {
        cluster_name(tools[0]): catalogue.hold_of(tools)
        for tools in catalogue.by_address.values()
        if len({tool.route for tool in tools}) == 1
    }
    holds = {cluster_name(tool): catalogue.hold_of((tool,)) for tool in catalogue.reached} | holds
    for host in routes.virtual_hosts:
        for route in host.routes:
            action = route.route
            hold = NO_HOLD if action is None or action.cluster is None else holds.get(action.cluster, NO_HOLD)
            marks = route.typed_per_filter_config.get(EXT_AUTHZ)
            if hold > 0 and marks is not None:
                per_route = marks.unpack()
                if isinstance(per_route, ExtAuthzPerRoute) and isinstance(per_route.check_settings, CheckSettings):
                    per_route.check_settings.grpc_service = check_service(settings, hold)
                    route.typed_per_filter_config[EXT_AUTHZ] = packed(per_route)
    return routes
