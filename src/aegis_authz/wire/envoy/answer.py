"""What Envoy is told of a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.effect import Effect


@dataclass(frozen=True, slots=True)
class Answer:
    """The decision in HTTP's words.

    `grpc_code` is a google.rpc.Code, `status` an HTTP status. `upstream_headers` overwrite request headers,
    `removed_headers` are taken from the request, `client_headers` go on the response in every case, and
    `client_replacements` where the tool sets them, too. `body` and `status` count only when `effect` does not let the
    call through. `metadata` becomes Envoy dynamic metadata. `is_followed` says that Envoy tells what became of a call
    that is let through.
    """

    effect: Effect
    grpc_code: int
    status: int
    body: bytes
    client_headers: Mapping[str, str]
    client_replacements: Mapping[str, str]
    upstream_headers: Mapping[str, str]
    removed_headers: tuple[str, ...]
    metadata: Mapping[str, str]
    is_followed: bool

    def __bool__(self) -> bool:
        raise TypeError("an Answer has no truth value; look at its effect")
