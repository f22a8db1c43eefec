"""Settings: one frozen tree for each process, strict, few knobs.

A settings file is YAML; an unknown key, a wrong type or a duplicate key is an error that names it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from aegis_authz.core.address import UnixAddress, is_loopback, read_address, read_tcp_address
from aegis_authz.core.identity import Way
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Seconds

_WORKER = "{worker}"
_RECORD_MS = 190  # a disk that is busy
SHARED_LISTENERS = ("forward", "reverse")
"""The listeners of every agent."""
_LISTENER_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")


def _listen_address(text: str) -> str:
    read_address(text.replace(_WORKER, "0"))
    return text


def _port_address(text: str) -> str:
    read_tcp_address(text)
    return text


def _listener_name(text: str) -> str:
    if _LISTENER_NAME.match(text) is None or text in SHARED_LISTENERS:
        raise ValueError(f"must be a name of lower-case letters, digits and dashes, and none of {SHARED_LISTENERS}")
    return text


def _loopback_address(text: str) -> str:
    place = read_address(text)
    if not isinstance(place, UnixAddress) and not is_loopback(place.host):
        raise ValueError(f"{text} can be reached by others: must be unix:/path, or an address of loopback and a port")
    return text


def _private_url(text: str) -> str:
    url = urlsplit(text)
    is_local = url.scheme == "http" and (url.hostname == "localhost" or is_loopback(url.hostname or ""))
    if (url.scheme != "https" and not is_local) or not url.hostname or url.username is not None or url.query:
        raise ValueError("must be https://, a host and a path (http:// on loopback alone)")
    return text


def _agent(text: str) -> str:
    return str(Scope.parse(text))


ListenAddress = Annotated[str, AfterValidator(_listen_address)]
PortAddress = Annotated[str, AfterValidator(_port_address)]
ListenerName = Annotated[str, AfterValidator(_listener_name)]
LoopbackAddress = Annotated[str, AfterValidator(_loopback_address)]
PrivateUrl = Annotated[str, AfterValidator(_private_url)]
AgentName = Annotated[str, AfterValidator(_agent)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


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


class Budget(_Settings):
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


def _taken_ways(ways: tuple[Way, ...]) -> tuple[Way, ...]:
    if not ways or len(set(ways)) != len(ways):
        raise ValueError("must name at least one way, and each once")
    if Way.WORKLOAD in ways:
        raise ValueError("workload is taken beside no other way: name the listener and its agent under workload")
    return ways


Ways = Annotated[tuple[Way, ...], AfterValidator(_taken_ways)]


class WorkloadSettings(_Settings):
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


class IdentitySettings(_Settings):
    """Which ways of proving an identity are taken (docs/identity.md).

    `accept` holds for every listener of Envoy that `listeners` does not name (`forward`, `reverse`). A listener that
    `workload` names stands for its agent and takes no credential.
    """

    accept: Ways = (Way.TOKEN, Way.BOUND)
    listeners: Mapping[str, Ways] = {}
    workload: Mapping[ListenerName, WorkloadSettings] = {}

    @model_validator(mode="after")
    def _has_one_meaning(self) -> IdentitySettings:
        for name in self.listeners.keys() & self.workload.keys():
            raise ValueError(f"the listener {name} stands for an agent and takes no other way: name it once")
        return self


class AuthzSettings(_Settings):
    """One authorization worker (`aegis serve authz`). `{worker}` in `listen` is the worker's number.

    `listen` is `unix:/path` or `host:port`. `redis` is a redis-py URL, or
    `sentinel://host:port,host:port/service`. `record_key` is a PEM file. `session_keys` is
    the file of the one or two keys that bind MCP sessions to their agents, the same for all workers; it is read again
    when it changes. `credentials` holds what policies inject, as files ORG/TENANT/NAME. `metrics` is `host:port`,
    shared by all workers; `metrics_dir` is where they keep their counters. `otlp_endpoint` is an OTLP/gRPC URL, "" to
    export no spans. `ready_socket` is a unix socket (with `{worker}`) for GET /readyz. `drain_ms` is how long a
    stopping worker stays up after it turned red, so that Envoy notices. `clock_skew` is how many seconds the clock of
    who issues tokens may be ahead of that of Redis: whenever Redis was started, flushed or replaced, tokens are refused
    for so long. The control plane's is no more.
    """

    listen: ListenAddress
    host: WorkerHost = WorkerHost.HTTP2
    workers: int = Field(default=2, ge=1, le=64)
    opa_socket: Path
    redis: str
    records: Path
    record_key: Path
    session_keys: Path
    record_mode: RecordMode = RecordMode.REQUIRED
    environment: str = "local"
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


_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([mhd])\Z")


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _DURATION.match(value)
    if match is None:
        raise ValueError("must be a whole number of minutes, hours or days, such as 90m, 12h or 30d")
    return int(match[1]) * _UNITS[match[2]]


Period = Annotated[float, BeforeValidator(_seconds), Field(ge=3600)]
"""A time between rotations, in seconds or as `12h`, `30d`."""


class RotationSettings(_Settings):
    """After how long each signing key is replaced by itself; one that is not named is replaced by command alone."""

    issuer: Period | None = None
    approvals: Period | None = None
    bundle: Period | None = None
    records: Period | None = None

    def of(self, name: str) -> Seconds | None:
        """The period of the key of that name, seconds."""
        periods = {
            "issuer": self.issuer,
            "approvals": self.approvals,
            "bundle": self.bundle,
            "records": self.records,
        }
        period = periods[name]
        return None if period is None else Seconds(period)


class VaultSettings(_Settings):
    """A transit engine of HashiCorp Vault or OpenBao. Keys are called NAME-issuer and NAME-approvals.

    `token_file` holds the token, and is read for each request; without it the environment does (VAULT_TOKEN).
    """

    url: PrivateUrl
    mount: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9/_-]{0,127}$")] = "transit"
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = "aegis"
    token_file: Path | None = None
    ca_file: Path | None = None


class Pkcs11Settings(_Settings):
    """A token behind a PKCS#11 module. Keys are labelled NAME-issuer and NAME-approvals.

    `pin_file` holds the PIN of the user; without it the environment does (AEGIS_PKCS11_PIN).
    """

    module: Path
    token: Annotated[str, Field(min_length=1, max_length=32)]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = "aegis"
    pin_file: Path | None = None


class KeyServiceSettings(_Settings):
    """Where the keys of tokens and approvals are, when not in files: one of both."""

    vault: VaultSettings | None = None
    pkcs11: Pkcs11Settings | None = None

    @model_validator(mode="after")
    def _is_one(self) -> KeyServiceSettings:
        if (self.vault is None) == (self.pkcs11 is None):
            raise ValueError("must name either vault or pkcs11")
        return self


class ClusterSettings(_Settings):
    """A cluster of Kubernetes that is asked about tokens of its service accounts.

    `api` is the URL of its API server, `token` the file of a token that may create TokenReviews there
    (`system:auth-delegator`), `authorities` a file of the authorities that the server is verified by.
    """

    api: PrivateUrl
    token: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    authorities: Path | None = None


class ControlSettings(_Settings):
    """The control plane (`aegis serve control`).

    `state` keeps published bundles; `records` is the folder of all record logs, the authorizers' or another one; `keys`
    holds issuer.pem, approvals.pem, bundle.pem, root.pem, records.pem and admin.token; `rotate_every` says when each is
    replaced, and `key_service` keeps those of tokens and approvals out of files; `policies` and `tools` are the folders
    of documents published at the first start.
    `probe` is a folder with policies/ and tools/ of `aegis doctor`, added to every publication.
    `public_url` is where approvers and agents reach it. `proxy` is the file of an Envoy's settings (ProxySettings): its
    routes and clusters then follow the revision that OPA runs. `clusters` are those that `token_review` of a
    document of trust may name.
    """

    listen: ListenAddress
    public_url: str
    proxy: Path | None = None
    state: Path
    keys: Path
    records: Path
    policies: Path
    tools: Path
    probe: Path | None = None
    redis: str
    issuer: str = "aegis"
    audience: str = "aegis-mesh"
    max_token_life: float = Field(default=300, gt=0, le=3600)
    clock_skew: float = Field(default=5, ge=0, le=60)
    approval_life: float = Field(default=900, gt=0)
    clusters: Mapping[str, ClusterSettings] = {}
    rotate_every: RotationSettings = RotationSettings()
    key_service: KeyServiceSettings | None = None


class ListenerTls(_Settings):
    """TLS on Envoy's listeners, as files of PEM that Envoy reads.

    With `client_ca` every client must show a certificate of that authority; its SPIFFE id then proves an identity where
    the authorizer takes `mtls`.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


class InterceptionSettings(_Settings):
    """HTTPS that is opened (docs/https.md). `certificates` is the address of the service of certificates; with
    `unclaimed`, a host that no tool claims is opened as well, for its client to read the refusal.
    """

    certificates: ListenAddress
    unclaimed: bool = True


class CertificateSettings(_Settings):
    """The one process that has the authority's key, in the folder `authority`. A certificate lives `leaf_hours`; of the
    names that clients choose `most_names` get one. `ready_socket` is a unix socket for GET /readyz.
    """

    listen: ListenAddress
    authority: Path
    ready_socket: str
    leaf_hours: float = Field(default=24, gt=0, le=168)
    most_names: int = Field(default=2000, ge=1)
    names_per_minute: int = Field(default=120, ge=1)


class WorkloadListener(_Settings):
    """A listener that stands for one agent (`identity.workload` of the authorizer, under the same name).

    It listens on loopback or on a unix socket of `mode`, in the clear, and is both an HTTP proxy and has the reverse
    routes under its own name.
    """

    listen: LoopbackAddress
    mode: Annotated[str, Field(pattern=r"^0[0-7]{3}$")] = "0600"


class ToolConnection(_Settings):
    """How Envoy speaks to a tool beyond its place, with files of PEM on Envoy's machine.

    `ca` is trusted in place of the public authorities; `client_certificate`, with its key in the same file, is shown to
    the tool; `sni` is what the handshake names and the tool's certificate must name, by default its host.
    """

    ca: Path | None = None
    client_certificate: Path | None = None
    sni: str = ""
    http2: bool = False


class ProxySettings(_Settings):
    """What the Envoy configuration is rendered from.

    `authz` lists the workers' addresses (`unix:/path` or `host:port`). Ports are listened on at `bind`.
    `check_timeout_ms` is Envoy's own limit, longer than ours so that our answer arrives first.
    `xds` is the folder of routes and clusters, which Envoy watches. `tools` says by a tool's name how it is spoken to.
    """

    bind: str = "127.0.0.1"
    forward_port: int = Field(ge=0, le=65535)
    reverse_port: int = Field(ge=0, le=65535)
    admin_socket: str
    authz: tuple[str, ...]
    xds: Path
    access_log: Path
    ca_file: Path
    check_timeout_ms: int = Field(default=250, gt=0)
    max_body_bytes: int = Field(default=1_048_576, gt=0)
    workers: int = Field(default=2, ge=1)
    tls: ListenerTls | None = None
    interception: InterceptionSettings | None = None
    tools: Mapping[str, ToolConnection] = {}
    workload: Mapping[ListenerName, WorkloadListener] = {}
