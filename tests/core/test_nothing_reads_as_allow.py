"""No value of any type can be read as allow by omission."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from enum import Enum

import pytest

import aegis_authz.core
from aegis_authz.core.decision import Decision, denied
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import REASONS, Reason, Retry
from aegis_authz.core.settlement import SETTLE_REFUSALS, SettleOutcome


def _core_types() -> list[type]:
    modules = [
        importlib.import_module(f"aegis_authz.core.{module.name}")
        for module in pkgutil.iter_modules(aegis_authz.core.__path__)
    ]
    return sorted(
        {
            thing
            for module in modules
            for thing in vars(module).values()
            if isinstance(thing, type) and thing.__module__ == module.__name__
        },
        key=lambda kind: kind.__qualname__,
    )


CORE_DATACLASSES = [kind for kind in _core_types() if dataclasses.is_dataclass(kind)]


def test_the_walk_sees_the_whole_core() -> None:
    names = {kind.__name__ for kind in _core_types()}
    assert {"Effect", "Reason", "Decision", "Settled", "Snapshot", "DecisionRecord", "Identity"} <= names


@pytest.mark.parametrize("kind", CORE_DATACLASSES, ids=lambda kind: kind.__name__)
def test_no_core_value_has_a_default_field(kind: type) -> None:
    for field in dataclasses.fields(kind):
        assert field.default is dataclasses.MISSING, f"{kind.__name__}.{field.name} has a default"
        assert field.default_factory is dataclasses.MISSING, f"{kind.__name__}.{field.name} has a default"


@pytest.mark.parametrize("kind", CORE_DATACLASSES, ids=lambda kind: kind.__name__)
def test_no_core_value_can_be_built_from_nothing(kind: type) -> None:
    with pytest.raises(TypeError):
        kind()


@pytest.mark.parametrize("kind", CORE_DATACLASSES, ids=lambda kind: kind.__name__)
def test_core_values_are_frozen(kind: type) -> None:
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "kind", [kind for kind in _core_types() if issubclass(kind, Enum)], ids=lambda kind: kind.__name__
)
def test_no_enum_member_is_a_zero_or_empty_value(kind: type[Enum]) -> None:
    assert all(member.value for member in kind)


@pytest.mark.parametrize("effect", Effect)
def test_an_effect_has_no_truth_value(effect: Effect) -> None:
    with pytest.raises(TypeError):
        bool(effect)


def test_a_decision_has_no_truth_value() -> None:
    with pytest.raises(TypeError):
        bool(denied(Reason.POLICY_DENIED, "", ""))


def test_the_stricter_effect_is_the_greater() -> None:
    ordered = [Effect.ALLOW, Effect.SANITIZE, Effect.APPROVAL_NEEDED, Effect.DENY]
    for i, milder in enumerate(ordered):
        for stricter in ordered[i:]:
            assert max(milder, stricter) is stricter
            assert max(stricter, milder) is stricter


def test_every_reason_has_exactly_one_row() -> None:
    assert set(REASONS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_row_is_consistent(reason: Reason) -> None:
    spec = REASONS[reason]
    assert spec.effect.lets_through == (spec.retry is Retry.UNNEEDED)
    assert spec.text.endswith(".")


def test_a_refusing_reason_cannot_explain_an_allow() -> None:
    for reason in Reason:
        if REASONS[reason].effect.lets_through:
            continue
        with pytest.raises(ValueError, match=reason.value):
            Decision(Effect.ALLOW, reason, "", (), "r", (), (), None, None, None, ())


def test_every_outcome_but_four_refuses() -> None:
    assert set(SettleOutcome) - set(SETTLE_REFUSALS) == {
        SettleOutcome.CLEAR,
        SettleOutcome.OPENED,
        SettleOutcome.REOPENED,
        SettleOutcome.APPROVED,
    }
    assert all(REASONS[reason].effect is Effect.DENY for reason in SETTLE_REFUSALS.values())
