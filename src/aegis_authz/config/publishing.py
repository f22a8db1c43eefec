"""Settings of publishing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from aegis_authz.config.values import Period, Settings
from aegis_authz.core.person import Domain


def _domain(text: str) -> str:
    Domain.parse(text)
    return text


class BacktestSettings(Settings):
    """What each publication is tried on (docs/policies.md): the records of the last `window`, the newest `most` of
    them. At least `fewest` calls must be judged; all is done within `seconds`.
    """

    window: Period = 7 * 86_400.0
    most: int = Field(default=20_000, ge=1, le=100_000)
    fewest: int = Field(default=1, ge=0)
    seconds: float = Field(default=60, ge=1, le=120)

    @model_validator(mode="after")
    def _can_pass(self) -> BacktestSettings:
        if self.fewest > self.most:
            raise ValueError(f"of at most {self.most} calls, {self.fewest} are never judged: fewest is more than most")
        return self


class PublishSettings(Settings):
    """With `approvals: 1`, what somebody publishes waits until another person confirms it, where it touches one of the
    `scopes`: `org/tenant`, an org, or `*` for all. What is of no single scope, such as a tool, touches each.

    Policy tests that come with a publication must pass wherever the control plane has an OPA to run them; with
    `tests: required` nothing is published or rolled back to without tests that pass here. With `backtest`, nothing is
    by which a recorded call would be decided more mildly, unless an owner says why that is right.
    """

    tests: Literal["run", "required"] = "run"
    backtest: BacktestSettings | None = None
    approvals: Literal[0, 1] = 0
    scopes: tuple[Annotated[str, AfterValidator(_domain)], ...] = ("*",)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Where two people publish; none where one does."""
        return tuple(Domain.parse(scope) for scope in self.scopes) if self.approvals else ()
