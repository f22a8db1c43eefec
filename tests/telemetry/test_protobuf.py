from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from aegis_authz.telemetry.protobuf import (
    bytes_field,
    double,
    double_field,
    fixed32_field,
    fixed64_field,
    number_field,
    text_field,
    varint,
)


@given(st.integers(0, 2**64 - 1), st.binary(max_size=300), st.text(max_size=200), st.integers(0, 2**32 - 1))
def test_fields_are_read_by_the_library_as_they_were_written(
    number: int, content: bytes, text: str, small: int
) -> None:
    message = bytes_field(1, content) + text_field(5, text) + fixed64_field(7, number) + fixed32_field(16, small)
    span = Span.FromString(message + number_field(10, small))
    assert span == Span(
        trace_id=content, name=text, start_time_unix_nano=number, flags=small, dropped_attributes_count=small
    )


@given(st.floats(allow_nan=False))
def test_a_number_with_a_point_ends_with_its_eight_bytes(number: float) -> None:
    assert double_field(4, number).endswith(double(number))
    assert len(double(number)) == 8


@given(st.integers(0, 2**63))
def test_a_number_is_as_long_as_the_library_makes_it(number: int) -> None:
    assert len(varint(number)) == max(1, (number.bit_length() + 6) // 7)


def test_what_is_no_unicode_is_a_question_mark() -> None:
    assert Status.FromString(text_field(2, "a\ud800b")).message == "a?b"
