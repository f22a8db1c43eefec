"""Transparent listeners as they are rendered: what must never be otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import ClusterDiscoveryType
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.filters.network.rbac.v3 import Rbac
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import TcpProxy
from envoy_data_plane.envoy.extensions.filters.udp.dns_filter.v3 import DnsFilterConfig
from pydantic import ValidationError

from aegis_authz.config.proxy import (
    DoorSettings,
    InterceptionSettings,
    ProxySettings,
    TransparentSettings,
    WorkloadListener,
)
from aegis_authz.core.catalogue import JSON_ALONE, ONE_OPERATION, Action, Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.proxy.clusters import clusters
from aegis_authz.proxy.example import EXAMPLE
from aegis_authz.proxy.interception import interception_clusters
from aegis_authz.proxy.render import config_files
from aegis_authz.proxy.routes import route_configs
from aegis_authz.proxy.transparent import ANSWERS, transparent_clusters, transparent_listeners

CONNECT = Action("connect", "CONNECT", ("",), (), False, JSON_ALONE, ONE_OPERATION)
CATALOGUE = Catalogue.of(
    (
        Tool("pay", "pay.example", None, "http://10.0.0.1:9001", (), "", "", None, False, False, NO_INTERFACE),
        Tool("bank", "bank.example", 8443, "https://bank.internal", (), "", "", None, False, False, NO_INTERFACE),
        Tool(
            "pinned", "pinned.example", None, "tls://10.0.0.1:443", (CONNECT,), "", "", None, False, False, NO_INTERFACE
        ),
        Tool("number", "10.9.8.7", None, "http://10.9.8.7", (), "", "", None, False, False, NO_INTERFACE),
    )
)
INTERCEPTION = InterceptionSettings(certificates="unix:/run/aegis/certs.sock")


def settings(**changes: Any) -> ProxySettings:
    transparent = TransparentSettings(listeners={"pod": 15001, "job": 15002})
    return EXAMPLE.model_copy(update={"transparent": transparent, "interception": INTERCEPTION, **changes})


def listeners(**changes: Any) -> dict[str, Listener]:
    return {listener.name: listener for listener in transparent_listeners(settings(**changes), CATALOGUE)}


def test_there_are_none_unless_they_are_set_up() -> None:
    assert transparent_listeners(EXAMPLE, CATALOGUE) == []
    assert "lds.pb" not in config_files(EXAMPLE, CATALOGUE)
    assert {"rds-pod.yaml", "rds-job.yaml", "lds.pb"} < config_files(settings(interception=None), CATALOGUE).keys()


def test_all_listen_on_loopback_alone() -> None:
    for name, listener in listeners().items():
        if name.startswith("opaque:"):
            assert listener.internal_listener is not None  # Envoy alone connects to it
            continue
        places = [listener.address, *(other.address for other in listener.additional_addresses)]
        assert [place.socket_address.address for place in places if place and place.socket_address] == [
            "127.0.0.1",
            "::1",
        ]


def test_no_cluster_leads_where_the_client_dialled() -> None:
    own = transparent_clusters(settings(), CATALOGUE)
    assert [cluster.name for cluster in own] == ["opaque:job", "opaque:pod"]
    for cluster in [*clusters(settings(), CATALOGUE), *interception_clusters(settings(), CATALOGUE), *own]:
        assert cluster.type in (ClusterDiscoveryType.STATIC, ClusterDiscoveryType.STRICT_DNS)


def test_each_chain_says_what_it_takes_and_none_takes_the_rest() -> None:
    pod = listeners()["pod"]
    assert pod.default_filter_chain is None
    assert not pod.continue_on_listener_filters_timeout
    taken = {}
    for chain in pod.filter_chains:
        match = chain.filter_chain_match
        assert match is not None
        taken[chain.name] = (match.transport_protocol, match.destination_port, match.server_names)
    assert taken == {
        "http:any": ("raw_buffer", None, []),
        "http:443": ("raw_buffer", 443, []),
        "http:8443": ("raw_buffer", 8443, []),
        "pay.example:443": ("tls", 443, ["pay.example"]),
        "pinned.example:443": ("tls", 443, ["pinned.example"]),
        "bank.example:8443": ("tls", 8443, ["bank.example"]),
    }


def test_without_interception_no_tls_is_opened() -> None:
    chains = {chain.name: chain for chain in listeners(interception=None)["pod"].filter_chains}
    assert chains.keys() == {"http:any", "http:443", "pinned.example:443"}
    assert [chain.transport_socket for chain in chains.values()] == [None, None, None]


def test_what_was_dialled_is_closed_before_anything_reads_it() -> None:
    for name, port in (("pod", 15001), ("job", 15002)):
        for chain in listeners()[name].filter_chains:
            first, *_, second = (
                entry.typed_config.unpack() for entry in chain.filters if entry.typed_config is not None
            )
            assert isinstance(first, Rbac)
            assert isinstance(second, TcpProxy if chain.name == "pinned.example:443" else HttpConnectionManager)
            assert not getattr(second, "upgrade_configs", [])
            assert first.rules is not None
            assert first.rules.policies["dialled"].permissions[0].destination_port == port


def test_every_route_says_by_which_listener_and_that_the_call_was_led_there() -> None:
    for routes in route_configs(settings(), CATALOGUE):
        if routes.name not in ("pod", "job"):
            continue
        for host in routes.virtual_hosts:
            check = host.typed_per_filter_config["envoy.filters.http.ext_authz"].unpack()
            assert check.check_settings.context_extensions == {
                "aegis.listener": routes.name,
                "aegis.redirected": "yes",
            }


def test_names_of_the_catalogue_are_answered_with_addresses_that_lead_nowhere() -> None:
    config = listeners()["dns:names"].listener_filters[0].typed_config
    assert config is not None
    answering = config.unpack()
    assert isinstance(answering, DnsFilterConfig)
    assert answering.client_config is None  # nobody else is asked
    table = answering.server_config.inline_dns_table if answering.server_config else None
    assert table is not None
    hosts = {domain.name for domain in table.virtual_domains}
    assert hosts == {"pay.example", "bank.example", "pinned.example"}
    assert {
        tuple(domain.endpoint.address_list.address)
        for domain in table.virtual_domains
        if domain.endpoint and domain.endpoint.address_list
    } == {ANSWERS}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"transparent": {"listeners": {}}}, "at least 1"),
        ({"transparent": {"listeners": {"pod": 15001, "job": 15001}}}, "a port of its own"),
        ({"transparent": {"listeners": {"pod": 15053}}}, "a port of its own"),
        ({"transparent": {"listeners": {"pod": EXAMPLE.forward_port}}}, "pod and forward listen at the same port"),
        (
            {"transparent": {"listeners": {"pod": 15001}}, "reverse_port": 15001},
            "pod and reverse listen at the same port",
        ),
        (
            {"transparent": {"listeners": {"pod": 15001}}, "door": DoorSettings(port=15001, control="control:7400")},
            "pod and door listen at the same port",
        ),
        (
            {"transparent": {"listeners": {"pod": 15001}}, "workload": {"job": WorkloadListener(listen="[::1]:15001")}},
            "pod and job listen at the same port",
        ),
        ({"transparent": {"listeners": {"forward": 15001}}}, "must be a name"),
        ({"transparent": {"listeners": {"pod": 0}}}, "greater than or equal to 1"),
        (
            {"transparent": {"listeners": {"pod": 15001}}, "workload": {"pod": WorkloadListener(listen="127.0.0.1:1")}},
            "either under workload or under transparent",
        ),
    ],
)
def test_settings_that_mean_two_things_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        ProxySettings(**{**EXAMPLE.model_dump(), **changes})
