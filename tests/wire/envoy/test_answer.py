from __future__ import annotations

import dataclasses

import pytest

from aegis_authz.core.effect import Effect
from aegis_authz.wire.envoy.answer import Answer


@pytest.mark.parametrize("effect", Effect)
def test_an_answer_has_no_truth_value(effect: Effect) -> None:
    with pytest.raises(TypeError):
        bool(Answer(effect, 7, 403, b"", {}, {}, {}, (), {}, True))


def test_nothing_about_an_answer_is_implied() -> None:
    assert all(field.default is field.default_factory is dataclasses.MISSING for field in dataclasses.fields(Answer))
