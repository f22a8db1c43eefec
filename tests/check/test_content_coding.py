from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace

import pytest

from aegis_authz.check.content_coding import coding_of, plain
from aegis_authz.core.catalogue import JSON_ALONE, ONE_OPERATION, Action, Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.coding import Decoding
from aegis_authz.wire.http.call import HttpCall

BODY = b'{"amount": 4200}'
PAY = Tool(
    "pay",
    "pay.example",
    None,
    "",
    (Action("pay", "POST", ("v1",), (), False, JSON_ALONE, ONE_OPERATION),),
    "",
    "",
    None,
    False,
    True,
    NO_INTERFACE,
)
LOOK = replace(PAY, name="look", decode=False)
CALL = HttpCall(
    request_id="",
    method="POST",
    scheme="http",
    host="pay.example",
    port=None,
    path="/v1",
    query="",
    headers={"content-encoding": ("gzip",), "content-type": ("application/json",)},
    body=gzip.compress(BODY),
    source="",
    tool_hint="",
    route="",
    listener="",
    principal="",
    over_tls=False,
)


def said(encoding: str) -> HttpCall:
    return replace(CALL, headers={"content-encoding": (encoding,)})


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
def test_a_tool_that_says_so_takes_encoded_bodies(coding: str) -> None:
    assert coding_of(said(coding), Catalogue.of((PAY,))) == coding


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_a_body_that_is_itself_is_taken_by_every_tool(encoding: str) -> None:
    assert coding_of(said(encoding), Catalogue.of((LOOK,))) == ""


@pytest.mark.parametrize(
    ("http", "tools"),
    [
        (CALL, (LOOK,)),
        (CALL, (PAY, LOOK)),  # which of the two it is for, a body may have to say
        (CALL, ()),
        (replace(CALL, host="elsewhere.example"), (PAY,)),
        (replace(CALL, method="CONNECT", opens_tunnel=True), (PAY,)),
        *(
            (said(encoding), (PAY,))
            for encoding in ("GZIP", "x-gzip", " gzip", "gzip ", "gzip, br", "gzip,", "aws-chunked")
        ),
    ],
)
def test_what_nobody_takes_is_refused(http: HttpCall, tools: tuple[Tool, ...]) -> None:
    with pytest.raises(Refused) as refused:
        coding_of(http, Catalogue.of(tools))
    assert refused.value.reason is Reason.CONTENT_ENCODED
    assert refused.value.fault is not None and refused.value.fault.at == "content-encoding"


def test_the_request_that_is_judged_is_decoded_and_says_nothing_of_a_coding() -> None:
    http, decoding = plain(CALL, "gzip")
    assert (http.body, dict(http.headers)) == (BODY, {"content-type": ("application/json",)})
    assert decoding == Decoding("gzip", hashlib.sha256(BODY).hexdigest())
