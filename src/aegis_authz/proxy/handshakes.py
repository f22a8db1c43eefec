"""The TLS side of what is opened: certificates that Envoy asks for by delta SDS.

Source: envoy/extensions/transport_sockets/tls/v3 and .../tls/cert_selectors/on_demand_secret/v3.
"""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.core.v3 import (
    ApiConfigSource,
    ApiConfigSourceApiType,
    ApiVersion,
    ConfigSource,
    GrpcService,
    GrpcServiceEnvoyGrpc,
    HeaderValue,
    TransportSocket,
)
from envoy_data_plane.envoy.extensions.transport_sockets.tls.cert_mappers.sni.v3 import Sni
from envoy_data_plane.envoy.extensions.transport_sockets.tls.cert_selectors.on_demand_secret.v3 import (
    Config as OnDemand,
)
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CommonTlsContext,
    DownstreamTlsContext,
    SdsSecretConfig,
    TlsParameters,
    TlsParametersTlsProtocol,
)

from aegis_authz.config.proxy import InterceptionSettings
from aegis_authz.core.address import read_address
from aegis_authz.intercept.subscriptions import NAMES_METADATA, NamesOf
from aegis_authz.proxy.clusters import http2_alone, members, roomy
from aegis_authz.proxy.typed import address_of, extension, packed

CERTIFICATES = "aegis_certificates"
"""The name of the cluster that serves certificates."""

_FIRST_FETCH = timedelta(seconds=2)  # how long Envoy's start waits for certificates
_CONNECT_TIMEOUT = timedelta(seconds=1)
_ALPN = ("h2", "http/1.1")
_NO_NAME = "-"  # no host's: a client that names none is refused


def certificates_cluster(interception: InterceptionSettings) -> Cluster:
    """Where certificates come from. Raises ValueError for an address that is none."""
    return Cluster(
        name=CERTIFICATES,
        type=ClusterDiscoveryType.STATIC,
        connect_timeout=_CONNECT_TIMEOUT,
        load_assignment=members(CERTIFICATES, [address_of(read_address(interception.certificates))]),
        circuit_breakers=roomy(),  # each certificate is a stream of its own
        typed_extension_protocol_options=http2_alone(),
    )


def certificate_of(host: str) -> TransportSocket:
    """TLS with the certificate of one host of the catalogue."""
    secret = SdsSecretConfig(name=host, sds_config=_source(NamesOf.CATALOGUE))
    return _socket(DownstreamTlsContext(common_tls_context=_context(secrets=[secret])))


def certificate_on_demand() -> TransportSocket:
    """TLS with a certificate of the name in the handshake, where one is given out for it."""
    selector = OnDemand(
        config_source=_source(NamesOf.CLIENTS), certificate_mapper=extension("sni", Sni(default_value=_NO_NAME))
    )
    context = _context(secrets=[])
    context.custom_tls_certificate_selector = extension("envoy.tls.certificate_selectors.on_demand_secret", selector)
    return _socket(
        DownstreamTlsContext(
            common_tls_context=context,
            # Envoy takes an on-demand certificate only without both kinds
            disable_stateless_session_resumption=True,
            disable_stateful_session_resumption=True,
        )
    )


def _context(secrets: list[SdsSecretConfig]) -> CommonTlsContext:
    return CommonTlsContext(
        tls_params=TlsParameters(tls_minimum_protocol_version=TlsParametersTlsProtocol.TLSv1_2),
        alpn_protocols=list(_ALPN),
        tls_certificate_sds_secret_configs=secrets,
    )


def _source(names_of: NamesOf) -> ConfigSource:
    service = GrpcService(
        envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=CERTIFICATES),
        initial_metadata=[HeaderValue(key=NAMES_METADATA, value=names_of.value)],
    )
    return ConfigSource(
        resource_api_version=ApiVersion.V3,
        initial_fetch_timeout=_FIRST_FETCH,
        api_config_source=ApiConfigSource(
            api_type=ApiConfigSourceApiType.DELTA_GRPC, transport_api_version=ApiVersion.V3, grpc_services=[service]
        ),
    )


def _socket(context: DownstreamTlsContext) -> TransportSocket:
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))
