"""Which tenants are at home in which region."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from aegis_authz.core.residency import REGION, is_tenants
from aegis_authz.policy.language.types import LISTED, NOT_EMPTY, UNIQUE
from aegis_authz.policy.language.validation import Part
from aegis_authz.policy.source.problems import quoted


def _region(value: str) -> str:
    if REGION.match(value) is None:
        raise ValueError("must be lower-case letters and digits, with - between them, at most 32, such as eu-west")
    return value


def _tenants(value: str) -> str:
    if not is_tenants(value):
        raise ValueError(f"{quoted(value)} is neither org/tenant nor org/*, such as acme/emea")
    return value


def _gateway(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname or url.username is not None or url.query or url.fragment:
        raise ValueError("must be http:// or https://, a host, and a port or a path")
    return value.rstrip("/")


RegionName = Annotated[str, AfterValidator(_region)]
Tenants = Annotated[str, AfterValidator(_tenants)]
Gateway = Annotated[str, AfterValidator(_gateway)]


class RegionEntry(Part):
    """The tenants of a region, and where agents reach its gateway: what a call is told that came to another one.

    Of other regions the gateway is enough: then not even the names of their tenants are told.
    """

    tenants: Annotated[tuple[Tenants, ...], LISTED, NOT_EMPTY, UNIQUE] | None = None
    gateway: Gateway | None = None

    @model_validator(mode="after")
    def _says_something(self) -> RegionEntry:
        if self.tenants is None and self.gateway is None:
            raise ValueError("must have tenants, or the gateway")
        return self


class ResidencyDocument(Part):
    """The document that pins tenants to regions. A tenant that it does not name is at home nowhere."""

    description: str = ""
    residency: Annotated[dict[RegionName, RegionEntry], NOT_EMPTY]
