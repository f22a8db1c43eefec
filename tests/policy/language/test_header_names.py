from __future__ import annotations

import pytest

from aegis_authz.policy.language.header_names import check_header_name


@pytest.mark.parametrize("name", ["x-account", "stripe-account", "idempotency-key", "if-match", "x1"])
def test_a_header_of_the_tool_can_be_a_parameter(name: str) -> None:
    check_header_name(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("X-Account", "in lower case"),
        ("x_account", "in lower case"),
        ("x--account", "in lower case"),
        ("", "in lower case"),
        ("x-account\n", "in lower case"),
        ("x" * 65, "in lower case"),
        ("authorization", "credential"),
        ("cookie", "credential"),
        ("content-type", "use it themselves"),
        ("transfer-encoding", "use it themselves"),
        ("x-aegis-token", "use it themselves"),
        ("x-forwarded-for", "use it themselves"),
    ],
)
def test_what_can_be_no_parameter_is_refused_with_the_reason(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_header_name(name)
