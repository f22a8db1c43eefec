from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.core.approval import ApprovalNotFound
from aegis_authz.core.scope import Scope

BOT = Scope("acme", "emea", "bot")
ANY = st.text(st.characters(exclude_categories=()), max_size=300)  # halves of surrogate pairs too


@given(ANY, ANY)
def test_no_token_chooses_the_length_or_the_bytes_of_a_key(issuer: str, token_id: str) -> None:
    key = redis_keys.jti(BOT, (issuer, token_id))
    assert len(key) == len(redis_keys.jti(BOT, ("aegis", "j")))
    assert key.isascii()
    assert key.isprintable()


TOKENS_AND_PROOFS = st.tuples(ANY, ANY) | st.tuples(ANY, ANY, ANY)


@given(TOKENS_AND_PROOFS, TOKENS_AND_PROOFS)
def test_two_of_tokens_and_proofs_share_a_key_only_when_they_are_one(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    same = redis_keys.jti(BOT, one) == redis_keys.jti(BOT, other)
    assert same == (one == other)


@pytest.mark.parametrize("separator", ["\x00", "1:", ":", "/", ""])
def test_no_separator_lets_one_token_pass_for_another(separator: str) -> None:
    one = redis_keys.jti(BOT, ("a" + separator + "b", "c"))
    assert one != redis_keys.jti(BOT, ("a", "b" + separator + "c"))
    assert one != redis_keys.jti(BOT, ("a", "b" + separator + separator + "c"))
    assert one != redis_keys.jti(BOT, ("a", "b", "c"))


def test_all_keys_of_a_tenant_lie_in_one_slot() -> None:
    partition = redis_keys.partition_of(BOT)
    keys = (
        redis_keys.epoch(partition),
        redis_keys.jti(BOT, ("aegis", "{00}")),
        redis_keys.revoked(partition),
        redis_keys.approval(redis_keys.approval_id(BOT, "0" * 32)),
        redis_keys.approvals(partition),
        redis_keys.pending(BOT, "{00}"),
        redis_keys.nothing(partition),
    )
    assert len(set(keys)) == len(keys)
    assert {key[key.index("{") + 1 : key.index("}")] for key in keys} == {partition}


def test_every_partition_a_tenant_can_have_is_known() -> None:
    assert {redis_keys.partition_of(Scope("acme", f"tenant-{number}", "bot")) for number in range(2000)} == set(
        redis_keys.ALL_PARTITIONS
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        "apr_",
        "apr_00",
        "apr_40" + "0" * 32,
        "apr_00" + "0" * 33,
        "apr_00" + "0" * 32 + "\n",
        "apr_00" + "A" * 32,
        "x" * 9999,
    ],
)
def test_what_cannot_be_an_approval_id_names_no_key(name: str) -> None:
    with pytest.raises(ApprovalNotFound) as caught:
        redis_keys.approval(name)
    assert len(str(caught.value)) < 120
