from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.grpc_frame import read_grpc

PATH = "/pay.v1.Payments/Create"


def frame(message: bytes, flag: int = 0) -> bytes:
    return bytes([flag]) + len(message).to_bytes(4, "big") + message


@given(st.binary(max_size=40))
def test_service_method_size_and_digest_of_the_message_are_told(message: bytes) -> None:
    assert read_grpc(frame(message), PATH) == {
        "service": "pay.v1.Payments",
        "method": "Create",
        "size": len(message),
        "sha256": hashlib.sha256(message).hexdigest(),
    }


@pytest.mark.parametrize(
    ("body", "path", "problem"),
    [
        (frame(b"a") + frame(b"b"), PATH, "a stream of messages"),
        (frame(b"a", 1), PATH, "compressed. Send it with grpc-encoding: identity."),
        (frame(b"a", 128), PATH, "compressed."),
        (frame(b"abc")[:-1], PATH, "cut off."),
        (b"\0\0", PATH, "cut off."),
        (b"\0\xff\xff\xff\xffabc", PATH, "cut off."),
        (frame(b""), "/Create", "is not /service/method."),
        (frame(b""), "/a/b/c", "is not /service/method."),
        (frame(b""), "//b", "is not /service/method."),
    ],
)
def test_another_number_of_messages_than_one_is_refused(body: bytes, path: str, problem: str) -> None:
    with pytest.raises(Refused) as refused:
        read_grpc(body, path)
    assert refused.value.reason is Reason.MESSAGE_MALFORMED
    assert refused.value.fault is not None
    assert problem in refused.value.fault.problem
