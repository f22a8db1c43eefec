"""Settings of the control plane."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from aegis_authz.config.callbacks import CallbackSettings
from aegis_authz.config.channels import ChannelSettings
from aegis_authz.config.publishing import PublishSettings
from aegis_authz.config.redis_place import RedisUrl
from aegis_authz.config.sign_in import SignInSettings
from aegis_authz.config.values import ListenAddress, Network, Period, PrivateUrl, PublicUrl, RegionName, Settings
from aegis_authz.core.address import UnixAddress, read_address
from aegis_authz.core.residency import regional_audience
from aegis_authz.core.units import Seconds


class RotationSettings(Settings):
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


class VaultSettings(Settings):
    """A transit engine of HashiCorp Vault or OpenBao. Keys are called NAME-issuer and NAME-approvals.

    `token_file` holds the token, and is read for each request; without it the environment does (VAULT_TOKEN).
    """

    url: PrivateUrl
    mount: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9/_-]{0,127}$")] = "transit"
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = "aegis"
    token_file: Path | None = None
    ca_file: Path | None = None


class Pkcs11Settings(Settings):
    """A token behind a PKCS#11 module. Keys are labelled NAME-issuer and NAME-approvals.

    `pin_file` holds the PIN of the user; without it the environment does (AEGIS_PKCS11_PIN).
    """

    module: Path
    token: Annotated[str, Field(min_length=1, max_length=32)]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = "aegis"
    pin_file: Path | None = None


class KeyServiceSettings(Settings):
    """Where the keys of tokens and approvals are, when not in files: one of both."""

    vault: VaultSettings | None = None
    pkcs11: Pkcs11Settings | None = None

    @model_validator(mode="after")
    def _is_one(self) -> KeyServiceSettings:
        if (self.vault is None) == (self.pkcs11 is None):
            raise ValueError("must name either vault or pkcs11")
        return self


class ClusterSettings(Settings):
    """A cluster of Kubernetes that is asked about tokens of its service accounts.

    `api` is the URL of its API server, `token` the file of a token that may create TokenReviews there
    (`system:auth-delegator`), `authorities` a file of the authorities that the server is verified by.
    """

    api: PrivateUrl
    token: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    authorities: Path | None = None


class TlsSettings(Settings):
    """TLS of the control plane's own port, in files of PEM that are read again when they are replaced.

    `certificate` begins with the server's own, `key` is its private key. Clients may show certificates of `client_ca`;
    without it none is asked for.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


class OversightSettings(Settings):
    """When somebody is said to approve without reading: of at least so many `approvals` within a while, this share took
    less than three seconds.
    """

    approvals: Annotated[int, Field(ge=2)] = 10
    hasty_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    within: Period = 86_400.0


class ControlSettings(Settings):
    """The control plane (`aegis serve control`).

    `state` keeps published bundles; `records` is the folder of all record logs, the authorizers' or another one, and
    `access_logs` are those of all Envoys whose authorizers write there, held against it all the time; `keys`
    holds issuer.pem, approvals.pem, bundle.pem, root.pem, records.pem and admin.token; `rotate_every` says when each is
    replaced, `anchors` is the file that where each log stood is copied to (docs/records.md), best on another machine's
    disk, and `key_service` keeps those of tokens and approvals out of files; `policies` and `tools` are the folders
    of documents published at the first start.
    `authorities` is a file of the certificate authorities by which the mesh opens HTTPS (`trusted.pem`): agents on
    other machines are told. `probe` is a folder with policies/ and tools/ of `aegis doctor`, added to all that is
    published.
    `public_url` is where approvers and agents reach it; `public_proxy` and `public_reverse` are where agents reach
    the mesh, and `public_evaluation` the evaluation endpoint of its authorizers, which those that enrol are told.
    `gateways` are the networks of proxies in front, whose word for who asks (X-Forwarded-For) is believed. `proxy`
    is the file of an Envoy's settings (ProxySettings): its routes and clusters then follow the revision that OPA
    runs. `clusters` are those that `token_review` of a document of trust may name. `database` is where people,
    sessions and the change log are kept: a URL of PostgreSQL, or of another SQLite file than `control.db` in
    `state`. `tls` is what `listen`, a host and port then, speaks; without it HTTP in the clear. `publish` says what
    two people publish together.
    `people_url` is where people reach its pages, where that is another place than agents have: the links of messages
    lead there, and its forms are taken from there alone.
    With `bootstrap_owner_decides` whoever bears the admin token, or owns the whole mesh, decides for every group: for a
    machine of one person, where nobody else is. Without it the admin token decides only what names no groups.
    `channels` are those by which people learn of held calls, `callbacks` the endpoints to which enforcement points may
    have the ends of their access requests posted; `oversight` says when somebody approves without reading, `sign_in`
    where people sign in besides here. `prometheus` is the Prometheus from whose data the console draws dashboards.
    `region` is where this control plane is: only tenants at home there are published (docs/regions.md).
    """

    listen: ListenAddress
    public_url: str
    people_url: PublicUrl | None = None
    public_proxy: PublicUrl | None = None
    public_reverse: PublicUrl | None = None
    public_evaluation: PublicUrl | None = None
    gateways: tuple[Network, ...] = ()
    proxy: Path | None = None
    access_logs: tuple[Path, ...] = ()
    state: Path
    keys: Path
    records: Path
    anchors: Path | None = None
    policies: Path
    tools: Path
    probe: Path | None = None
    authorities: Path | None = None
    redis: RedisUrl
    database: str = ""
    issuer: str = "aegis"
    audience: str = "aegis-mesh"
    region: RegionName = ""
    max_token_life: float = Field(default=300, gt=0, le=3600)
    clock_skew: float = Field(default=5, ge=0, le=60)
    approval_life: float = Field(default=900, gt=0)
    bootstrap_owner_decides: bool = False
    channels: ChannelSettings | None = None
    callbacks: Mapping[str, CallbackSettings] = {}
    oversight: OversightSettings = OversightSettings()
    sign_in: SignInSettings = SignInSettings()
    clusters: Mapping[str, ClusterSettings] = {}
    rotate_every: RotationSettings = RotationSettings()
    key_service: KeyServiceSettings | None = None
    tls: TlsSettings | None = None
    publish: PublishSettings = PublishSettings()
    prometheus: PublicUrl | None = None

    @property
    def mesh_audience(self) -> str:
        """What tokens are issued for: the mesh, or its region."""
        return regional_audience(self.audience, self.region)

    @model_validator(mode="after")
    def _is_reached_by_tls(self) -> ControlSettings:
        if self.tls is not None and isinstance(read_address(self.listen), UnixAddress):
            raise ValueError("tls is for a listener of host:port, and listen is a unix socket")
        return self
