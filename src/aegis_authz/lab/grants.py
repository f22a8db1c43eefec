"""Grants of tried calls: as people write them, and what became of each as rego/explain.rego tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, PlainValidator

from aegis_authz.core.grant import Grant, Narrowing
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.narrowing import items, members, text
from aegis_authz.policy.language.validation import Part
from aegis_authz.wire.grant import grant_of, read_tools, tools_to_data

_NOBODYS = "tried-call-grant"
_NEVER = datetime(9999, 1, 1, tzinfo=UTC).isoformat()


def moment(value: str) -> str:
    """A moment with its zone, in ISO 8601. Raises ValueError."""
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a moment such as 2026-03-02T10:00:00+01:00") from None
    if parsed.tzinfo is None:
        raise ValueError("must say its zone, as 2026-03-02T10:00:00+01:00 or 2026-03-02T09:00:00Z does")
    return value


def written_tools(value: object) -> dict[str, object]:
    """Tools as people write them. Raises ValueError for anything else."""
    try:
        return {**tools_to_data(read_tools(value))}  # type: ignore[arg-type]  # it came out of a source document: it is Json
    except Refused as refusal:
        raise ValueError(f"is no grant of tools: {refusal.detail}") from None


class TriedNarrowing(Part):
    """One grant of a chain: `tools` maps a tool to its actions, and an action to the values of its parameters."""

    tools: Annotated[dict[str, object], PlainValidator(written_tools)]
    until: Annotated[str, AfterValidator(moment)] = _NEVER


def tried_grant(grant: Grant) -> list[dict[str, Json]]:
    """A grant as tried calls have it. Raises ValueError where its tools are not known."""
    written: list[dict[str, Json]] = []
    for narrowing in grant.chain:
        if narrowing.tools is None:
            raise ValueError("the tools of the grant are not known")
        until = datetime.fromtimestamp(narrowing.expires_at, UTC).isoformat()
        written.append({"tools": tools_to_data(narrowing.tools), "until": until})
    return written


def grant_from_tried(written: Sequence[TriedNarrowing], now: Epoch) -> Grant | None:
    """The grant of a tried call, None where it has none."""
    if not written:
        return None
    return grant_of(
        [
            Narrowing(
                id=_NOBODYS,
                issued_at=now,
                expires_at=Epoch(float(int(datetime.fromisoformat(narrowing.until).timestamp()))),
                depth=0,
                calls=None,
                tools=read_tools(narrowing.tools),  # type: ignore[arg-type]  # it was read as Json
                by="",
            )
            for narrowing in written
        ]
    )


@dataclass(frozen=True, slots=True)
class LookedAtValue:
    """What became of one parameter that a grant pins; `value` is None where it is not `there`."""

    parameter: str
    allowed: tuple[Json, ...]
    value: Json
    there: bool
    holds: bool


@dataclass(frozen=True, slots=True)
class LookedAtNarrowing:
    """What became of one grant of the chain: whether it has ended, and lists the tool and the action."""

    is_over: bool
    tool: bool
    action: bool
    values: tuple[LookedAtValue, ...]

    @property
    def allows(self) -> bool:
        """Whether nothing of it stands in the way."""
        return not self.is_over and self.tool and self.action and all(value.holds for value in self.values)


def looked_at_grant(data: Json) -> tuple[LookedAtNarrowing, ...]:
    """Read what was told of a grant, nothing where there is none. Raises ValueError for anything else."""
    return () if data is None else tuple(map(_narrowing, items(data, "a grant")))


def _narrowing(data: Json) -> LookedAtNarrowing:
    told = members(data, {"is_over", "tool", "action", "values"}, "a narrowing")
    is_over, tool, action = (_flag(told, name) for name in ("is_over", "tool", "action"))
    return LookedAtNarrowing(is_over, tool, action, tuple(map(_value, items(told["values"], "values"))))


def _value(data: Json) -> LookedAtValue:
    told = members(data, {"parameter", "allowed", "seen", "there", "holds"}, "a value")
    allowed = tuple(items(told["allowed"], "allowed"))
    flags = _flag(told, "there"), _flag(told, "holds")
    return LookedAtValue(text(told["parameter"], "parameter"), allowed, told["seen"], *flags)


def _flag(data: Mapping[str, Json], name: str) -> bool:
    value = data[name]
    if not isinstance(value, bool):
        raise ValueError(f"{name} is neither true nor false")  # noqa: TRY004  # one error for every surprise
    return value
