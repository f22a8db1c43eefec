"""What a value may have to be: the comparisons that parameters, their elements and the context of a call share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from aegis_authz.policy.language.types import (
    LISTED,
    NOT_EMPTY,
    UNIQUE,
    AddressRanges,
    AnyOperand,
    Day,
    HostPatterns,
    Hours,
    JsonSchema,
    NumberOrReference,
    ParameterKind,
    Pointer,
    Scalars,
    Words,
    Zone,
)
from aegis_authz.policy.language.validation import Part

Otherwise = Literal["deny", "approval_needed"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WHOLE = Annotated[int, Field(ge=0, lt=2**31)]

WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Size(Part):
    """How many characters or members: exactly, or at least and at most."""

    equals: _WHOLE | None = None
    min: _WHOLE | None = None
    max: _WHOLE | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Size:
        if (self.equals is None) == (self.min is None and self.max is None):
            raise ValueError("must have either equals, or min or max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"nothing is at least {self.min} and at most {self.max} long")
        return self


class Comparisons(Part):
    """Comparisons of one value. Every one that is given must hold."""

    type: ParameterKind | None = None
    equals: AnyOperand | None = None
    differs: AnyOperand | None = Field(default=None, alias="not")
    allowed: Scalars | None = Field(default=None, alias="in")
    not_in: Scalars | None = None
    min: NumberOrReference | None = None
    max: NumberOrReference | None = None
    over: NumberOrReference | None = None
    under: NumberOrReference | None = None
    matches: str | None = None
    starts_with: Annotated[str, Field(min_length=1)] | None = None
    ends_with: Annotated[str, Field(min_length=1)] | None = None
    length: Size | None = None
    host_in: HostPatterns | None = None
    url_host_in: HostPatterns | None = None
    email_domain_in: HostPatterns | None = None
    in_ranges: AddressRanges | None = None
    not_in_ranges: AddressRanges | None = None


class ElementRule(Comparisons):
    """What elements of a list must be: each itself, or what stands `at` a JSON pointer inside it."""

    at: Pointer | None = None


class ParameterRule(Comparisons):
    """What one parameter must be. It must be present unless `optional`; `otherwise` says what a failure means."""

    optional: bool = False
    exists: bool | None = None
    count: Size | None = None
    every: ElementRule | None = None
    any_element: ElementRule | None = Field(default=None, alias="any")
    json_schema: JsonSchema | None = Field(default=None, alias="schema")
    approval_needed_over: NumberOrReference | None = None
    approval_needed_in: Scalars | None = None
    otherwise: Otherwise = Field(default="deny", alias="else")


class TimeWindow(Part):
    """When: days of the week, hours of the day and days of the calendar, all in one zone. `until` is included."""

    name: Words | None = None
    zone: Zone = "UTC"
    weekdays: Annotated[tuple[Weekday, ...], LISTED, NOT_EMPTY, UNIQUE] | None = None
    hours: Hours = "00:00-24:00"
    since: Day | None = Field(default=None, alias="from")
    until: Day | None = None
    holidays: Annotated[tuple[Day, ...], LISTED, UNIQUE] = ()

    @model_validator(mode="after")
    def _is_sometime(self) -> TimeWindow:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ValueError(f"no day is from {self.since} and until {self.until}")
        return self


class TimeRule(Part):
    """When a call may be made: within any of these windows, outside all of those."""

    within: Annotated[tuple[TimeWindow, ...], LISTED, NOT_EMPTY] | None = None
    not_within: Annotated[tuple[TimeWindow, ...], LISTED, NOT_EMPTY] | None = None
    otherwise: Otherwise = Field(default="deny", alias="else")
