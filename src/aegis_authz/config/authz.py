"""Settings of an authorization worker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from aegis_authz.config.redis_place import RedisUrl
from aegis_authz.config.values import (
    AgentName,
    ListenAddress,
    ListenerName,
    Network,
    PortAddress,
    PrivateUrl,
    PublicUrl,
    RegionName,
    Settings,
    SocketMode,
)
from aegis_authz.core.address import is_loopback, read_tcp_address
from aegis_authz.core.approval import MOST_HOLD
from aegis_authz.core.identity import Way

_RECORD_MS = 190  # a disk that is busy


class RecordMode(Enum):
    """Whether an allow may leave without its record."""

    REQUIRED = "required"
    BEST_EFFORT = "best_effort"


class WorkerHost(Enum):
    """What carries calls to the handlers of a worker.

    `http2` is our own framing on asyncio, `grpc` is grpc.aio.
    """

    HTTP2 = "http2"
    GRPC = "grpc"


class Budget(Settings):
    """Time limits of one check, in milliseconds.

    `total_ms` bounds everything; `pdp_ms` bounds the policy engine alone, so that time is left to
    spend the token and to write the record. `reserve_ms` of the caller's own deadline is kept back to answer.
    The defaults are those of a sidecar whose CPU is its own.
    """

    total_ms: float = Field(default=40, gt=0)
    pdp_ms: float = Field(default=30, gt=0)
    reserve_ms: float = Field(default=20, ge=0)

    @classmethod
    def of(cls, total_ms: float) -> Budget:
        """The limits of a check that may take `total_ms` milliseconds, three quarters of it for the policy engine."""
        return cls(total_ms=total_ms, pdp_ms=0.75 * total_ms)

    @property
    def check_timeout_ms(self) -> int:
        """What Envoy's own limit must be: time for the record and for the way there and back on top of all of ours."""
        return math.ceil(self.total_ms + _RECORD_MS + self.reserve_ms)


class HoldSettings(Settings):
    """Requests that are kept open while a person decides, where a policy says `hold`.

    `total` of them at once in one worker, 0 for none, `of_tenant` of one tenant, `of_agent` of one agent, each for at
    most `longest` seconds. Whoever finds no room is answered at once.
    """

    total: int = Field(default=64, ge=0, le=1024)
    of_tenant: int = Field(default=32, ge=1, le=1024)
    of_agent: int = Field(default=4, ge=1, le=64)
    longest: float = Field(default=MOST_HOLD, gt=0, le=MOST_HOLD)


def _taken_ways(ways: tuple[Way, ...]) -> tuple[Way, ...]:
    if not ways or len(set(ways)) != len(ways):
        raise ValueError("must name at least one way, and each once")
    if Way.WORKLOAD in ways:
        raise ValueError("workload is taken beside no other way: name the listener and its agent under workload")
    return ways


HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
Ways = Annotated[tuple[Way, ...], AfterValidator(_taken_ways)]


class WorkloadSettings(Settings):
    """The one agent that a listener stands for, and how its token is got from the control plane (docs/workload.md).

    `key` is a PEM file of an Ed25519 key that the token is bound to. Without `subject_token` it is the agent's own, and
    proves who asks; with it, the token in that file is exchanged, and a key that is missing is made. `authorities` is
    a file of the certificate authorities that the endpoint is verified by, the system's without it.
    """

    agent: AgentName
    token_endpoint: PrivateUrl
    key: Path
    subject_token: Path | None = None
    subject_token_type: Literal["jwt", "id_token", "access_token"] = "jwt"  # noqa: S105  # a word
    authorities: Path | None = None


class IdentitySettings(Settings):
    """Which ways of proving an identity are taken (docs/identity.md).

    `private_networks` are those in which nobody sits between an agent and Envoy, as on loopback: there the proof of a
    CONNECT counts inside its tunnel, and an agent key may come in the clear. `accept` holds for every listener of Envoy
    that `listeners` does not name (`forward`, `reverse`). A listener that `workload` names stands for its agent and
    takes no credential.
    """

    accept: Ways = (Way.TOKEN, Way.BOUND)
    listeners: Mapping[str, Ways] = {}
    workload: Mapping[ListenerName, WorkloadSettings] = {}
    private_networks: tuple[Network, ...] = ()

    @model_validator(mode="after")
    def _has_one_meaning(self) -> IdentitySettings:
        for name in self.listeners.keys() & self.workload.keys():
            raise ValueError(f"the listener {name} stands for an agent and takes no other way: name it once")
        return self


class EvaluationTls(Settings):
    """Files in PEM, read again when they are replaced: `certificate` begins with the server's own."""

    certificate: Path
    key: Path


class EvaluationSettings(Settings):
    """The evaluation endpoint of OpenID AuthZEN, at which agents ask of calls that do not pass Envoy.

    `listen` is `host:port`, which all workers share. `url` is where agents reach it, which their proofs are made for;
    without it, `listen` itself. Without `tls` it is on loopback alone.
    """

    listen: PortAddress
    url: PublicUrl | None = None
    tls: EvaluationTls | None = None

    @model_validator(mode="after")
    def _is_private(self) -> EvaluationSettings:
        if self.tls is None and not is_loopback(read_tcp_address(self.listen).host):
            raise ValueError(f"{self.listen} can be reached by others: give it tls, or an address of loopback")
        return self

    @property
    def base(self) -> str:
        """Where agents reach it."""
        return self.url or f"{'http' if self.tls is None else 'https'}://{self.listen}"


class TelemetrySettings(Settings):
    """How spans are exported to `otlp_endpoint` (docs/observability.md).

    `headers` go with each request; the value of each may be where `redis` may. `ca` is trusted in place of the public
    authorities; `certificate`, with its `key`, is shown to the collector; all are files of PEM. `sample` is the share
    of plain allows that have spans: everything else always has. `guardrails` adds the names of OpenTelemetry's
    proposal for guardrails.
    """

    protocol: Literal["grpc", "http"] = "grpc"
    headers: Mapping[HeaderName, str] = {}
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    sample: float = Field(default=1.0, gt=0, le=1)
    guardrails: bool = False

    @model_validator(mode="after")
    def _shows_a_whole_certificate(self) -> TelemetrySettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate and its key go together")
        return self


class AuthzSettings(Settings):
    """One authorization worker (`aegis serve authz`). `{worker}` in `listen` is the worker's number.

    `listen` is `unix:/path`, a socket of `listen_mode`, or `host:port`. `redis` is a redis-py URL,
    `sentinel://host:port,host:port/service` or `cluster://host:port,host:port`, or one of the last two in words
    (docs/deployment.md). `record_key` is a PEM file. `session_keys` is the file of the one or two keys that bind MCP
    sessions to their agents, the same for all workers; it is read again when it changes. `credentials` holds what
    policies inject, as files ORG/TENANT/NAME. `metrics` is `host:port`, shared by all workers; `metrics_dir` is where
    they keep their counters. `otlp_endpoint` is the URL of a collector (`telemetry` says how it is spoken to), "" for
    that of OTEL_EXPORTER_OTLP_ENDPOINT in the environment, and no spans where that is not set either.
    `ready_socket` is a unix socket (with `{worker}`) for GET /readyz. `drain_ms` is how long a
    stopping worker stays up after it turned red, so that Envoy notices. `clock_skew` is how many seconds the clock of
    who issues tokens may be ahead of that of Redis: whenever Redis was started, flushed or replaced, tokens are refused
    for so long. The control plane's is no more. `region` is where this worker is: it judges by bundles of that region
    alone. Without `evaluation` there is no evaluation endpoint.
    """

    listen: ListenAddress
    listen_mode: SocketMode = "0600"
    host: WorkerHost = WorkerHost.HTTP2
    workers: int = Field(default=2, ge=1, le=64)
    opa_socket: Path
    redis: RedisUrl
    records: Path
    record_key: Path
    session_keys: Path
    record_mode: RecordMode = RecordMode.REQUIRED
    environment: str = "local"
    region: RegionName = ""
    credentials: Path | None = None
    metrics: PortAddress
    metrics_dir: Path
    ready_socket: str
    otlp_endpoint: str = ""
    max_concurrent: int = Field(default=512, ge=1)
    drain_ms: float = Field(default=1000, ge=0)
    clock_skew: float = Field(default=5, ge=0, le=60)
    identity: IdentitySettings = IdentitySettings()
    budget: Budget = Budget()
    holds: HoldSettings = HoldSettings()
    evaluation: EvaluationSettings | None = None
    telemetry: TelemetrySettings = TelemetrySettings()
