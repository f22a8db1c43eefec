from __future__ import annotations

from aegis_authz.telemetry.grouped import REST, LabelBound, Observations


def test_labels_beyond_the_bound_are_the_rest_and_those_before_stay() -> None:
    bound = LabelBound(2)
    assert [bound.of((name,)) for name in "abcab"] == [("a",), ("b",), (REST,), ("a",), ("b",)]


def test_a_label_of_ten_kilobytes_is_the_rest() -> None:
    assert LabelBound(5).of(("x" * 10_240, "tool")) == (REST, REST)


def test_observations_know_their_bucket() -> None:
    observations = Observations()
    assert [observations.add(seconds) for seconds in (0.0005, 0.001, 9.0)] == [0, 0, 12]
