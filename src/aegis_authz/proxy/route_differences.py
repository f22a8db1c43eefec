"""Whether the routes an Envoy runs are those of a catalogue, and where they lead otherwise.

Source: `GET /config_dump?resource=dynamic_route_configs` of Envoy's admin interface (envoy/admin/v3/config_dump.proto).
What routes tell the authorizer is blacked out there, so it is compared by the version: the digest of the whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from betterproto2 import Casing

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.json_value import Json
from aegis_authz.encoding.narrowing import items, mapping, text
from aegis_authz.proxy.render import discovery
from aegis_authz.proxy.routes import route_configs

DUMP_PATH = "/config_dump?resource=dynamic_route_configs"
_NOBODY = "nobody"

_Leads = Mapping[tuple[str, str], str]
"""By domain and by what a request must match: the cluster a route leads to, or `_NOBODY`. In what order they are tried
the version tells."""


@dataclass(frozen=True, slots=True)
class _Table:
    version: str
    leads: _Leads


def route_differences(settings: ProxySettings, catalogue: Catalogue, dump: Json) -> list[str]:
    """One sentence for each difference between Envoy's routes and those of the catalogue; [] when there is none.

    `dump` is what Envoy answered. Raises ValueError for one that cannot be read.
    """
    running, differences = _running(dump), []
    for routes in route_configs(settings, catalogue):
        name = routes.name
        expected = _Table(discovery([routes]).version_info, dict(_leads(routes.to_dict(casing=Casing.SNAKE))))
        real = running.get(name)
        if real is None:
            differences.append(f"{name}: Envoy runs no routes")
            continue
        unlike = list(_unlike(name, expected.leads, real.leads))
        if not unlike and real.version != expected.version:
            unlike = [f"{name}: the routes lead alike, but their version is {real.version} and not {expected.version}"]
        differences += unlike
    return differences


def _unlike(name: str, expected: _Leads, real: _Leads) -> Iterator[str]:
    for place in sorted(expected.keys() | real.keys()):
        leads_to, should = real.get(place), expected.get(place)
        if leads_to != should:
            ends = (_end(leads_to), _end(should))
            yield f"{name}: {place[0]} {place[1]} leads to {ends[0]}, by the catalogue to {ends[1]}"


def _end(cluster: str | None) -> str:
    return "no route" if cluster is None else cluster


def _running(dump: Json) -> dict[str, _Table]:
    tables: dict[str, _Table] = {}
    for entry in items(mapping(dump, "the dump").get("configs", []), "configs"):
        dynamic = mapping(entry, "a configuration")
        routes = mapping(dynamic.get("route_config", {}), "route_config")
        version = text(dynamic.get("version_info", ""), "version_info")
        tables[text(routes.get("name", ""), "a name")] = _Table(version, dict(_leads(routes)))
    return tables


def _leads(routes: Mapping[str, Json]) -> Iterator[tuple[tuple[str, str], str]]:
    for host in items(routes.get("virtual_hosts", []), "virtual_hosts"):
        members = mapping(host, "a virtual host")
        for domain in items(members.get("domains", []), "domains"):
            for entry in items(members.get("routes", []), "routes"):
                route = mapping(entry, "a route")
                matched = json.dumps(route.get("match", {}), sort_keys=True)
                leads_to = mapping(route.get("route", {}), "an action").get("cluster", _NOBODY)
                yield (text(domain, "a domain"), matched), text(leads_to, "a cluster")
