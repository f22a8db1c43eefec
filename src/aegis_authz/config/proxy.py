"""Settings of Envoy, which its configuration is rendered from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from aegis_authz.config.values import DOOR, ListenAddress, ListenerName, LoopbackAddress, Settings
from aegis_authz.core.address import TcpAddress, UnixAddress, read_address
from aegis_authz.core.redirection_ports import NAMES_PORT


class ListenerTls(Settings):
    """TLS on Envoy's listeners, as files of PEM that Envoy reads.

    With `client_ca` every client must show a certificate of that authority; its SPIFFE id then proves an identity where
    the authorizer takes `mtls`.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


class InterceptionSettings(Settings):
    """HTTPS that is opened (docs/https.md). `certificates` is the address of the service of certificates; with
    `unclaimed`, a host that no tool claims is opened as well, for its client to read the refusal.
    """

    certificates: LoopbackAddress
    unclaimed: bool = True


class DoorSettings(Settings):
    """The listener by which agents reach the little of the control plane that is for them (docs/deployment.md), on
    `port` of the proxy's address. `control` is where the control plane listens. It speaks TLS when `authorities` is
    given, a file of PEM on Envoy's machine, by which its certificate is verified, which names its host.
    """

    port: int = Field(ge=0, le=65535)
    control: ListenAddress
    authorities: Path | None = None

    @model_validator(mode="after")
    def _verifies_a_host(self) -> DoorSettings:
        if self.authorities is not None and isinstance(read_address(self.control), UnixAddress):
            raise ValueError("authorities verify a host, and control is a unix socket")
        return self


class WorkloadListener(Settings):
    """A listener that stands for one agent (`identity.workload` of the authorizer, under the same name).

    It listens on loopback or on a unix socket of `mode`, in the clear, and is both an HTTP proxy and has the reverse
    routes under its own name.
    """

    listen: LoopbackAddress
    mode: Annotated[str, Field(pattern=r"^0[0-7]{3}$")] = "0600"


Port = Annotated[int, Field(ge=1, le=65535)]


class TransparentSettings(Settings):
    """Listeners of loopback to which the rules of `aegis intercept` lead all that an agent sends (docs/intercept.md).

    `listeners` are their ports, each under the name by which `identity.workload` of the authorizer says for which agent
    it stands. At the UDP port `dns_port` the names of the catalogue are answered, and no others.
    """

    listeners: Mapping[ListenerName, Port] = Field(min_length=1)
    dns_port: Port = NAMES_PORT

    @model_validator(mode="after")
    def _has_one_meaning(self) -> TransparentSettings:
        ports = [*self.listeners.values(), self.dns_port]
        if len(set(ports)) != len(ports):
            raise ValueError("each listener, and dns_port, needs a port of its own")
        return self


class ToolConnection(Settings):
    """How Envoy speaks to a tool beyond its place, with files of PEM on Envoy's machine.

    `ca` is trusted in place of the public authorities; `client_certificate`, with its key in the same file, is shown to
    the tool; `sni` is what the handshake names and the tool's certificate must name, by default its host.
    """

    ca: Path | None = None
    client_certificate: Path | None = None
    sni: str = ""
    http2: bool = False


class ProxySettings(Settings):
    """What the Envoy configuration is rendered from.

    `authz` lists the workers' addresses (`unix:/path` or `host:port`). Ports are listened on at `bind`.
    `check_timeout_ms` is Envoy's own limit, longer than ours so that our answer arrives first.
    `xds` is the folder of routes and clusters, which Envoy watches. `tools` says by a tool's name how it is spoken to.
    Without `interception`, `transparent` listeners open no TLS. `collector` takes Envoy's own spans by OTLP over gRPC
    in the clear, "" for none.
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
    door: DoorSettings | None = None
    interception: InterceptionSettings | None = None
    tools: Mapping[str, ToolConnection] = {}
    workload: Mapping[ListenerName, WorkloadListener] = {}
    transparent: TransparentSettings | None = None
    collector: ListenAddress | Literal[""] = ""

    @model_validator(mode="after")
    def _names_a_listener_once(self) -> ProxySettings:
        transparent = () if self.transparent is None else self.transparent.listeners
        for name in self.workload.keys() & set(transparent):
            raise ValueError(f"the listener {name} is either under workload or under transparent")
        return self

    @model_validator(mode="after")
    def _leads_to_no_port_of_another(self) -> ProxySettings:
        # Envoy would go on without the listener, and say so in its log alone
        others = self._dialled_ports()
        transparent = {} if self.transparent is None else self.transparent.listeners
        for name, port in sorted(transparent.items()):
            if port in others:
                raise ValueError(f"{name} and {others[port]} listen at the same port, {port}")
        return self

    def _dialled_ports(self) -> dict[int, str]:
        """The names of the listeners that clients dial, by their ports."""
        door = {} if self.door is None else {self.door.port: DOOR}
        places = {name: read_address(entry.listen) for name, entry in self.workload.items()}
        own = {place.port: name for name, place in places.items() if isinstance(place, TcpAddress)}
        return {**own, **door, self.reverse_port: "reverse", self.forward_port: "forward"}
