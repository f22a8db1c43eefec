from __future__ import annotations

import pytest

from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyErrors) as errors:
        load({"regions.yaml": text}, {})
    return [problem.message for problem in errors.value.problems]


def test_a_document_of_regions_says_who_is_at_home_where() -> None:
    text = "residency:\n  eu: {tenants: [acme/emea], gateway: 'http://eu.example/'}\n  us: {gateway: 'http://us.example'}\n"
    loaded = load({"regions.yaml": text}, {}).residency
    assert loaded is not None
    eu = loaded.of("eu", ("own/self",))
    assert eu is not None
    assert (eu.tenants, dict(eu.gateways)) == (
        {"acme/emea", "own/self"},
        {"eu": "http://eu.example", "us": "http://us.example"},
    )
    assert loaded.of("us") is None, "whose tenants are not told"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("residency: {EU: {tenants: [acme/emea]}}", "must be lower-case letters and digits"),
        ("residency: {eu: {tenants: [acme]}}", "'acme' is neither org/tenant nor org/*"),
        ("residency: {eu: {tenants: ['*/*']}}", "is neither org/tenant nor org/*"),
        ("residency: {eu: {tenants: []}}", "must not be empty"),
        ("residency: {eu: {tenants: [a/b, a/b]}}", "names something twice"),
        ("residency: {eu: {gateway: 'ftp://x'}}", "must be http:// or https://"),
        ("residency: {eu: {gateway: 'https://me:word@x'}}", "must be http:// or https://"),
        ("residency: {eu: {tenant: [a/b]}}", "unknown key 'tenant'; did you mean 'tenants'?"),
        ("residency: {}", "must not be empty"),
    ],
)
def test_a_document_that_cannot_be_meant_so_is_refused(text: str, message: str) -> None:
    assert message in " ".join(problems(text))
