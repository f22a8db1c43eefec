"""Settings of publishing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from aegis_authz.config.values import Settings
from aegis_authz.core.person import Domain


def _domain(text: str) -> str:
    Domain.parse(text)
    return text


class PublishSettings(Settings):
    """With `approvals: 1`, what somebody publishes waits until another person confirms it, where it touches one of the
    `scopes`: `org/tenant`, an org, or `*` for all. What is of no single scope, such as a tool, touches each.

    Policy tests that come with a publication must pass wherever the control plane has an OPA to run them; with
    `tests: required` nothing is published or rolled back to without tests that pass here.
    """

    tests: Literal["run", "required"] = "run"
    approvals: Literal[0, 1] = 0
    scopes: tuple[Annotated[str, AfterValidator(_domain)], ...] = ("*",)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Where two people publish; none where one does."""
        return tuple(Domain.parse(scope) for scope in self.scopes) if self.approvals else ()
