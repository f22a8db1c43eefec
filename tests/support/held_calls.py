"""Held calls of every kind, for tests of what people are shown."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from aegis_authz.core.approval import Approval, ApprovalProof, ApprovalRequest, ApprovalState
from aegis_authz.core.scope import Scope

EXPIRY = 1900.0
REQUEST = ApprovalRequest(
    id="apr_00" + "1" * 32,
    scope=Scope("acme", "emea", "bot"),
    tool="stripe",
    action="pay",
    parameters={"amount": 7000, "payee": "ACME", "lines": [1, "b"]},
    digest="d",
    revision="r",
    policies=("paying",),
    groups=("finance", "board"),
    requested_at=1000.0,
    expires_at=EXPIRY,
    besides={
        "request": "POST api.stripe.example/v1/payments",
        "on_behalf_of": "Dora@acme.example",
        "acted_by": ["planner", "clerk@acme.example"],
    },
    basis="b1",
    decision_id="d-1",
    approvals=1,
    confirm=(),
    notify=("slack:#finance",),
    proof=ApprovalProof.ANY,
    session="",
)
HELD = Approval(REQUEST, ApprovalState.PENDING, "", None, (), None)

_texts = st.text(st.characters(exclude_categories=("Cs",)))
_tricks = st.sampled_from(
    (
        "```", "*bold*", "<!channel>", "<@U1>", "&amp;", "</pre>", ":tada:", "\u202e", "\x7f", "\r\n.\r\n", "{{ 1 }}",
        "----- end of the call -----", "[a](https://b.example)", "\u0430mount", "\n\n", "=3D", "%s", "\\u0041",
    )
)  # fmt: skip
_scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | _texts | _tricks
)  # fmt: skip
_names = (_texts | _tricks).filter(bool)
_values = st.recursive(_scalars, lambda parts: st.lists(parts) | st.dictionaries(_names, parts), max_leaves=10)
_sizes = st.sampled_from((0, 0, 0, 0, 3_000, 12_000, 40_000))


def requests() -> st.SearchStrategy[ApprovalRequest]:
    """Requests with any parameters, some of them long, some of them written to break what renders them."""
    return st.builds(
        lambda parameters, besides, size: replace(
            REQUEST, parameters={**parameters, "memo": "x\u00e9"[: size and 2] * (size // 2)}, besides=besides
        ),
        st.dictionaries(_names, _values, max_size=5),
        st.dictionaries(_names, _values, max_size=3),
        _sizes,
    )


def held(request: ApprovalRequest) -> Approval:
    """The request, waiting for a person."""
    return Approval(request, ApprovalState.PENDING, "", None, (), None)
