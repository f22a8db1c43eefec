"""Sequences of calls as tests write them: who calls what when, what each is answered, and what is left after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from aegis_authz.core.approval import MAX_APPROVAL_LIFE, MOST_APPROVERS
from aegis_authz.core.approval_terms import present_terms
from aegis_authz.core.decision import ApprovalTerms
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.grants import moment
from aegis_authz.policy.language.limits import COUNTED, Duration, seconds_of
from aegis_authz.policy.language.rule import Hold
from aegis_authz.policy.language.types import LISTED, NOT_EMPTY, UNIQUE, ChannelPlace, Number, Words
from aegis_authz.policy.language.validation import Part
from aegis_authz.policy.source.problems import did_you_mean, quoted

Moment = Annotated[str, AfterValidator(moment)]


def _effect(value: str) -> str:
    effects = [effect.value for effect in Effect]
    if value not in effects:
        raise ValueError(f"{quoted(value)} is no effect{did_you_mean(value, effects)}")
    return value


def _reason(value: str) -> str:
    reasons = [reason.value for reason in Reason]
    if value not in reasons:
        raise ValueError(f"{quoted(value)} is no reason{did_you_mean(value, reasons)}")
    return value


def _limit_word(value: str) -> str:
    word = value.rpartition(".")[2]
    if word not in COUNTED:
        raise ValueError(f"{quoted(value)} is none of {', '.join(COUNTED)}, nor the name of an entry, a dot and one")
    return value


LimitWord = Annotated[Words, AfterValidator(_limit_word)]
StepEffect = Annotated[str, AfterValidator(_effect)]
StepReason = Annotated[str, AfterValidator(_reason)]


class ExpectedApproval(Part):
    """What is expected of the approval that is asked for; what is left out is not looked at."""

    groups: Annotated[tuple[Words, ...], LISTED, UNIQUE] | None = None
    expires_in: Annotated[Number, Field(gt=0, le=MAX_APPROVAL_LIFE)] | None = None
    approvals: Annotated[int, Field(ge=1, le=MOST_APPROVERS)] | None = None
    confirm: Annotated[tuple[Words, ...], LISTED, UNIQUE] | None = None
    notify: Annotated[tuple[ChannelPlace, ...], LISTED, UNIQUE] | None = None
    hold: Hold | None = None
    proof: Literal["any", "signed_in"] | None = None
    unattended: Literal["queue", "deny"] | None = None

    @property
    def data(self) -> dict[str, Json]:
        """What is expected, as JSON; what was left out is not there."""
        terms: dict[str, Json] = {
            word: sorted(names)
            for word, names in (("groups", self.groups), ("confirm", self.confirm), ("notify", self.notify))
            if names is not None
        }
        if self.expires_in is not None:
            terms["expires_in"] = seconds_to_data(self.expires_in)
        if self.approvals is not None:
            terms["approvals"] = self.approvals
        if self.hold is not None:
            terms["hold"] = seconds_of(self.hold)
        if self.proof is not None:
            terms["proof"] = self.proof
        if self.unattended is not None:
            terms["unattended"] = self.unattended
        return terms


def seconds_to_data(seconds: float) -> Json:
    """Seconds as they are written: whole ones without a fraction."""
    return int(seconds) if float(seconds).is_integer() else seconds


def terms_data(terms: ApprovalTerms) -> dict[str, Json]:
    """The terms of an approval, as JSON."""
    every: dict[str, Json] = {
        "groups": sorted(terms.groups),
        "expires_in": seconds_to_data(terms.expires_in),
        "approvals": terms.approvals,
        "confirm": sorted(terms.confirm),
        "notify": sorted(terms.notify),
    }
    few: dict[str, Json] = {"proof": terms.proof.value, "unattended": terms.unattended.value}
    return every | present_terms({"hold": seconds_to_data(terms.hold), **few})


class ExpectedStep(Part):
    """What is expected of one call of a sequence once it is settled; what is left out is not looked at.

    `left` says what is left of limits after it, by the word of each, or by the name of its entry, a dot and the word;
    money in units of its currency.
    """

    effect: StepEffect
    reason: StepReason | None = None
    left: Annotated[dict[LimitWord, Number], NOT_EMPTY] | None = None
    approval: ExpectedApproval | None = None

    @model_validator(mode="after")
    def _can_be(self) -> ExpectedStep:
        if self.reason is not None:
            explained = REASONS[Reason(self.reason)].effect
            passes = explained is Effect.ALLOW and self.effect == Effect.SANITIZE.value
            if explained.value != self.effect and not passes:
                raise ValueError(f"{self.reason} is a reason for {explained.value}, never for {self.effect}")
        return self


class WrittenStep(Part):
    """One call of a sequence, `times` in a row. Left out, `call` is that of the step before.

    It is made `at` a moment, or `after` the step before; else at the same moment. `session` is that of its token.
    """

    call: TriedCall | None = None
    at: Moment | None = None
    after: Duration | None = None
    times: Annotated[int, Field(ge=1, le=1000)] = 1
    session: Words | None = None
    expect: ExpectedStep

    @model_validator(mode="after")
    def _is_once(self) -> WrittenStep:
        if self.at is not None and self.after is not None:
            raise ValueError("must have either at or after: a moment, or how long after the step before")
        return self


class WrittenSequence(Part):
    """One test that plays calls one after another."""

    name: Words
    sequence: Annotated[tuple[WrittenStep, ...], LISTED, NOT_EMPTY]

    @model_validator(mode="after")
    def _begins_with_a_call(self) -> WrittenSequence:
        if self.sequence[0].call is None or self.sequence[0].after is not None:
            raise ValueError("begins with a call, and at a moment if at any")
        moments = [datetime.fromisoformat(call.context.time) for call in self.calls]
        if any(later < earlier for earlier, later in pairwise(moments)):
            raise ValueError("goes back in time")
        return self

    @property
    def calls(self) -> list[TriedCall]:
        """The call of each step, with the time at which it is made."""
        calls: list[TriedCall] = []
        before: TriedCall | None = None
        for step in self.sequence:
            before = _placed(step, before)
            calls.append(before if step.session is None else _within(before, session=step.session))
        return calls


def _placed(step: WrittenStep, before: TriedCall | None) -> TriedCall:
    call = step.call or before
    if call is None:
        raise ValueError("begins with a call")
    earlier = call if before is None else before
    now = datetime.fromisoformat(earlier.context.time)
    if step.at is not None:
        now = datetime.fromisoformat(step.at)
    elif step.after is not None:
        now += timedelta(seconds=seconds_of(step.after))
    return _within(call, time=now.isoformat())


def _within(call: TriedCall, **circumstances: str) -> TriedCall:
    return call.model_copy(update={"context": call.context.model_copy(update=circumstances)})


@dataclass(frozen=True, slots=True)
class Play:
    """Which step of which sequence a case is. Steps of one `sequence`, a number, are played in order."""

    sequence: int
    times: int
    session: str


def plays_of(test: WrittenSequence, number: int) -> Sequence[Play]:
    """How each step is played."""
    return [Play(number, step.times, step.session or "") for step in test.sequence]
