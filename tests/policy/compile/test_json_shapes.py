"""Compiled data is taken for what it is, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis_authz.core.json_value import Json
from aegis_authz.policy.compile.json_shapes import list_of, object_of, text_of

VALUES: tuple[Json, ...] = ({"a": 1}, [1], "text", 1, True, None)


@pytest.mark.parametrize(("shape", "kind"), [(object_of, dict), (list_of, list), (text_of, str)])
def test_a_value_is_given_back_where_it_is_of_the_shape(shape: Callable[[Json], object], kind: type) -> None:
    for value in VALUES:
        if isinstance(value, kind):
            assert shape(value) is value
        else:
            with pytest.raises(TypeError):
                shape(value)
