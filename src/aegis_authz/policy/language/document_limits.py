"""What a document limits as a whole: the entries of its `limits`, and its circuit breaker."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import PrivateAttr, model_validator

from aegis_authz.policy.language.limits import Duration, Limited, Times
from aegis_authz.policy.language.rule import Approval, Sanitize
from aegis_authz.policy.language.types import LISTED, NOT_EMPTY, UNIQUE, Name, Words
from aegis_authz.policy.language.validation import Part


class LimitEntry(Limited):
    """One entry of `limits`: of all calls of the document's agents, or of those of some tools and actions.

    `sanitize` says what is redacted beyond a limit with `on_exceed: sanitize`, `approval` who approves beyond one with
    `approval_needed`.
    """

    name: Words | None = None
    description: str = ""
    tools: Annotated[tuple[Name, ...], LISTED, NOT_EMPTY, UNIQUE] | None = None
    actions: Annotated[tuple[Words, ...], LISTED, NOT_EMPTY, UNIQUE] | None = None
    sanitize: Sanitize | None = None
    approval: Approval | None = None
    _origin: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _limits_something(self) -> LimitEntry:
        if not self.is_limited:
            raise ValueError("limits nothing: write budget, rate_limit, count, distinct, concurrency, sets or the like")
        if self.actions is not None and self.tools is None:
            raise ValueError("actions are those of tools: name the tools, too")
        return self

    @property
    def origin(self) -> str:
        """The name of the template it came from, "" for the document's own."""
        return self._origin

    def inherited(self, origin: str) -> Self:
        """The same entry, as taken over from the template of that name."""
        copied = self.model_copy()
        copied._origin = origin
        return copied


class BreakerTerms(Part):
    """When an agent is quarantined: after so many refusals, or calls to hosts it may not reach, within a time."""

    refusals: Times | None = None
    forbidden_domain: Times | None = None
    within: Duration = "60s"
    quarantine: Duration = "15m"

    @model_validator(mode="after")
    def _counts_something(self) -> BreakerTerms:
        if self.refusals is None and self.forbidden_domain is None:
            raise ValueError("must have refusals or forbidden_domain or both")
        return self
