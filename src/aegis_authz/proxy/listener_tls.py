"""TLS between agents and Envoy: the listeners' certificate, and whose certificates their clients must show.

Source: envoy/extensions/transport_sockets/tls/v3/tls.proto.
"""

from __future__ import annotations

from pathlib import Path

from envoy_data_plane.envoy.config.core.v3 import DataSource, TransportSocket
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CertificateValidationContext,
    CommonTlsContext,
    DownstreamTlsContext,
    SubjectAltNameMatcher,
    SubjectAltNameMatcherSanType,
    TlsCertificate,
    TlsParameters,
    TlsParametersTlsProtocol,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from aegis_authz.config.proxy import ListenerTls
from aegis_authz.proxy.typed import packed

_SPIFFE = "spiffe://"


def transport_socket(tls: ListenerTls) -> TransportSocket:
    """The TLS side of a listener; no session is resumed, so that each connection shows its certificate."""
    clients = None if tls.client_ca is None else _clients(tls.client_ca)
    context = DownstreamTlsContext(
        common_tls_context=CommonTlsContext(
            tls_params=TlsParameters(tls_minimum_protocol_version=TlsParametersTlsProtocol.TLSv1_2),
            tls_certificates=[TlsCertificate(certificate_chain=_file(tls.certificate), private_key=_file(tls.key))],
            validation_context=clients,
            alpn_protocols=["h2", "http/1.1"],
        ),
        require_client_certificate=clients is not None,
        disable_stateless_session_resumption=True,
        disable_stateful_session_resumption=True,
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))


def _clients(authority: Path) -> CertificateValidationContext:
    # a certificate of the same authority that is no workload's, such as a server's, proves nobody
    workloads = SubjectAltNameMatcher(san_type=SubjectAltNameMatcherSanType.URI, matcher=StringMatcher(prefix=_SPIFFE))
    return CertificateValidationContext(trusted_ca=_file(authority), match_typed_subject_alt_names=[workloads])


def _file(path: Path) -> DataSource:
    return DataSource(filename=str(path))
