"""Where Redis is: one server, one that Sentinels watch, or a cluster. An URL, or the same in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlencode

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from aegis_authz.config.values import Settings

_NODE = r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[1-9][0-9]{0,4}$"
Nodes = Annotated[tuple[Annotated[str, Field(pattern=_NODE)], ...], Field(min_length=1)]


class RedisTls(Settings):
    """TLS to Redis. `authorities` is a file of those that servers are verified by, the system's without it.

    `certificate` and `key` are files of PEM of what we show.
    """

    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _is_pair(self) -> RedisTls:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self

    @property
    def query(self) -> str:
        """The same as the query of an URL."""
        names = {"ssl_ca_certs": self.authorities, "ssl_certfile": self.certificate, "ssl_keyfile": self.key}
        pairs = urlencode(
            {name: str(path) for name, path in names.items() if path is not None}, safe="/", quote_via=quote
        )
        return f"?{pairs}" if pairs else ""


class RedisCluster(Settings):
    """A Redis Cluster: some of its nodes as `host:port`, and what is the same at all of them."""

    nodes: Nodes
    user: str = ""
    password: str = ""
    tls: RedisTls | None = None

    @property
    def url(self) -> str:
        """The same as an URL."""
        scheme, query = ("cluster", "") if self.tls is None else ("clusters", self.tls.query)
        return f"{scheme}://{_credentials(self.user, self.password)}{','.join(self.nodes)}{query}"


class RedisSentinel(Settings):
    """A Redis that Sentinels watch: the Sentinels as `host:port`, the service's name, and who we are to its servers."""

    nodes: Nodes
    service: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
    user: str = ""
    password: str = ""

    @property
    def url(self) -> str:
        """The same as an URL."""
        return f"sentinel://{_credentials(self.user, self.password)}{','.join(self.nodes)}/{self.service}"


class RedisPlace(Settings):
    """One of both."""

    sentinel: RedisSentinel | None = None
    cluster: RedisCluster | None = None

    @property
    def url(self) -> str:
        """The same as an URL. Raises ValueError where it is not one of both."""
        match self.sentinel, self.cluster:
            case (RedisSentinel() as place, None) | (None, RedisCluster() as place):
                return place.url
            case _:
                raise ValueError("must name either sentinel or cluster")


def _credentials(user: str, password: str) -> str:
    return f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""


def _url(value: object) -> object:
    if not isinstance(value, dict):
        return value
    try:
        return RedisPlace.model_validate(value).url
    except ValidationError as fault:
        # its own text shows what was given, and that may be a password
        raise ValueError("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in fault.errors())) from None


RedisUrl = Annotated[str, BeforeValidator(_url)]
"""An URL; `{sentinel: ...}` and `{cluster: ...}` are read as one."""
