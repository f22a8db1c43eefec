"""The settings files of a mesh's processes, written from its layout and ports."""

from __future__ import annotations

import json
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import yaml
from pydantic import BaseModel

from aegis_authz.config.authz import (
    AuthzSettings,
    Budget,
    EvaluationSettings,
    IdentitySettings,
    TelemetrySettings,
    WorkerHost,
    WorkloadSettings,
)
from aegis_authz.config.certificates import CertificateSettings
from aegis_authz.config.channels import ChannelSettings
from aegis_authz.config.control import ControlSettings
from aegis_authz.config.proxy import InterceptionSettings, ProxySettings, WorkloadListener
from aegis_authz.core.release import DISCOVERY_NAME, ROOT_KEY_ID
from aegis_authz.core.scope import Scope
from aegis_authz.local.layout import Layout

_LONG_POLL_SECONDS = 30


LOCAL_BUDGET_MS = 250.0
"""Milliseconds a decision may take in a mesh on a machine that does other things as well."""


@dataclass(frozen=True, slots=True)
class LocalWorkload:
    """An agent that a loopback port of its own stands for: whoever reaches the port is the agent."""

    agent: Scope
    port: int

    @property
    def listener(self) -> str:
        """The name of its listener."""
        return f"workload-{self.port}"


@dataclass(frozen=True, slots=True)
class MeshOptions:
    """What the user chose.

    `ports` maps proxy, reverse, control, metrics, evaluation, probe and prometheus to loopback ports. `budget_ms` is
    how long a decision may take. With `echo`, tools on this machine that nobody has started are stood in for.
    `workloads` are agents with a port of their own. With `https`, what agents send by `CONNECT` is opened. `region` is
    where it is, "" for none. `channels` are those by which people learn of held calls. An `otlp_endpoint` with a path
    takes OTLP by HTTP, else by gRPC; "" for none. With `observability`, a Prometheus scrapes the mesh.
    """

    policies: Path
    tools: Path
    ports: dict[str, int]
    workers: int
    host: WorkerHost
    environment: str
    otlp_endpoint: str
    budget_ms: float
    echo: bool = False
    workloads: tuple[LocalWorkload, ...] = ()
    https: bool = True
    region: str = ""
    channels: ChannelSettings | None = None
    observability: bool = False

    @property
    def budget(self) -> Budget:
        """The time limits of the authorizers."""
        return Budget.of(self.budget_ms)


def authz_settings(layout: Layout, options: MeshOptions) -> AuthzSettings:
    """Settings of the authorizers."""
    return AuthzSettings(
        listen=f"unix:{layout.socket('authz-{worker}')}",
        host=options.host,
        workers=options.workers,
        opa_socket=layout.socket("opa"),
        redis=f"unix://{layout.socket('redis')}",
        records=layout.records,
        record_key=layout.keys / "records.pem",
        session_keys=layout.keys / "sessions.keys",
        environment=options.environment,
        region=options.region,
        credentials=layout.state / "credentials",
        metrics=f"127.0.0.1:{options.ports['metrics']}",
        metrics_dir=layout.run / "metrics",
        ready_socket=str(layout.socket("ready-{worker}")),
        otlp_endpoint=options.otlp_endpoint,
        telemetry=TelemetrySettings(protocol="http" if urlsplit(options.otlp_endpoint).path.strip("/") else "grpc"),
        drain_ms=0,  # Envoy stops first
        budget=options.budget,
        clock_skew=0,  # one machine has one clock
        evaluation=EvaluationSettings(listen=f"127.0.0.1:{options.ports['evaluation']}"),
        identity=IdentitySettings(
            workload={entry.listener: _workload(layout, options, entry) for entry in options.workloads}
        ),
    )


def _workload(layout: Layout, options: MeshOptions, entry: LocalWorkload) -> WorkloadSettings:
    agent = entry.agent
    return WorkloadSettings(
        agent=str(agent),
        token_endpoint=f"http://127.0.0.1:{options.ports['control']}/v1/token",
        key=layout.agents / agent.org / agent.tenant / agent.agent / "key.pem",
    )


def control_settings(layout: Layout, options: MeshOptions) -> ControlSettings:
    """Settings of the control plane."""
    address = f"127.0.0.1:{options.ports['control']}"
    return ControlSettings(
        listen=address,
        public_url=f"http://{address}",
        state=layout.folder("control"),
        records=layout.records,
        access_logs=(layout.log("access"),),
        anchors=layout.anchors,
        keys=layout.keys,
        region=options.region,
        policies=options.policies,
        tools=options.tools,
        probe=layout.state / "probe",
        proxy=layout.state / "proxy.yaml",
        authorities=layout.trusted if options.https else None,
        redis=f"unix://{layout.socket('redis')}",
        clock_skew=0,  # one machine has one clock
        bootstrap_owner_decides=True,  # and often one person, who holds its admin token
        channels=options.channels,
        prometheus=f"http://127.0.0.1:{options.ports['prometheus']}" if options.observability else None,
    )


def certificate_settings(layout: Layout) -> CertificateSettings:
    """Settings of the service of certificates."""
    return CertificateSettings(
        listen=f"unix:{layout.socket('certs')}",
        authority=layout.authority,
        ready_socket=str(layout.socket("certs-up")),
    )


def proxy_settings(layout: Layout, options: MeshOptions) -> ProxySettings:
    """Settings Envoy's configuration is rendered from."""
    return ProxySettings(
        forward_port=options.ports["proxy"],
        reverse_port=options.ports["reverse"],
        admin_socket=str(layout.socket("envoy")),
        authz=tuple(f"unix:{layout.socket(f'authz-{worker}')}" for worker in range(options.workers)),
        xds=layout.xds,
        access_log=layout.log("access"),
        ca_file=trusted_authorities(),
        check_timeout_ms=options.budget.check_timeout_ms,
        workers=options.workers,
        workload={entry.listener: WorkloadListener(listen=f"127.0.0.1:{entry.port}") for entry in options.workloads},
        interception=InterceptionSettings(certificates=f"unix:{layout.socket('certs')}") if options.https else None,
        collector=_collector(options.otlp_endpoint),
    )


def _collector(endpoint: str) -> str:
    """Where Envoy sends its own spans: to the same collector where it takes gRPC in the clear, else nowhere."""
    place = urlsplit(endpoint)
    return place.netloc if place.scheme == "http" and place.port and not place.path.strip("/") else ""


def redis_text(layout: Layout) -> str:
    """redis.conf: no port, nothing evicted, every write in the append-only file."""
    return "\n".join(
        (
            "port 0",
            f"unixsocket {_redis_quoted(layout.socket('redis'))}",
            "unixsocketperm 700",
            f"dir {_redis_quoted(layout.folder('redis'))}",
            'save ""',
            "appendonly yes",
            "appendfsync everysec",
            "maxmemory-policy noeviction",
            "",
        )
    )


def _redis_quoted(path: Path) -> str:
    """A path as redis.conf takes it whatever is in it: in double quotes, which know escapes."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def opa_text(layout: Layout, options: MeshOptions, root_key: str) -> str:
    """The configuration of a mesh's OPA."""
    control = f"http://127.0.0.1:{options.ports['control']}"
    return opa_configuration(control, layout.keys / "opa.token", root_key, layout.folder("opa"))


def opa_configuration(control: str, token: Path, root_key: str, kept_in: Path, authorities: Path | None = None) -> str:
    """OPA's configuration: where the rest of it is, signed by the root key, kept through restarts.

    `control` is the URL of the control plane, `token` the file of OPA's bearer token, `root_key` public and PEM.
    `authorities` is the file by which the control plane's certificate is verified, the system's without it.
    """
    return json.dumps(
        {
            "labels": {"instance": "opa"},
            "services": {
                "control": {
                    "url": control,
                    "response_header_timeout_seconds": _LONG_POLL_SECONDS + 10,
                    "credentials": {"bearer": {"token_path": str(token)}},
                    **({} if authorities is None else {"tls": {"ca_cert": str(authorities)}}),
                }
            },
            "keys": {ROOT_KEY_ID: {"algorithm": "ES256", "key": root_key}},
            "discovery": {
                "service": "control",
                "resource": f"bundles/{DISCOVERY_NAME}.tar.gz",
                "decision": DISCOVERY_NAME,
                "persist": True,
                "signing": {"keyid": ROOT_KEY_ID},
                "polling": {
                    "min_delay_seconds": 1,
                    "max_delay_seconds": 2,
                    "long_polling_timeout_seconds": _LONG_POLL_SECONDS,
                },
            },
            "persistence_directory": str(kept_in),
        },
        indent=2,
    )


def trusted_authorities() -> Path:
    """The file of certificate authorities Envoy verifies tools by: the system's, else certifi's."""
    candidates = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile)
    for candidate in candidates:
        # a shell that trusts a mesh says so in SSL_CERT_FILE: that mesh vouches for no tool
        if candidate and Path(candidate).is_file() and not _is_of_a_mesh(Path(candidate).parent):
            return Path(candidate)
    return Path(certifi.where())


def _is_of_a_mesh(folder: Path) -> bool:
    """Whether a mesh's authorities are in a folder: its own, or an agent's copy."""
    return any((folder / name).exists() for name in ("signing.pem", "authorities.pem"))


def write_settings(path: Path, settings: BaseModel) -> Path:
    """Write a settings file as YAML; returns its path."""
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)
    path.write_text(text, "utf-8")
    return path
