from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.core.approval import ApprovalNotFound
from aegis_authz.core.scope import Scope

BOT = Scope("acme", "emea", "bot")
PARTITION = redis_keys.partition_of(BOT)
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


def test_what_was_kept_before_an_upgrade_is_found_after_it() -> None:
    """These names never change: else what was spent, charged and revoked is forgotten, and nobody sees that it is."""
    for name, literal in (
        (redis_keys.epoch(PARTITION), "aegis:{26}:epoch"),
        (redis_keys.jti(BOT, ("aegis", "j")), "aegis:{26}:jti:244413764f90939c1a746382b00f2219170038e4"),
        (redis_keys.revoked(PARTITION), "aegis:{26}:revoked"),
        (redis_keys.quarantined(PARTITION), "aegis:{26}:quarantined"),
        (redis_keys.quarantine(BOT), "aegis:{26}:quarantine:df4888adda3a8d1bde61d33ddcd38bdfc053a4c8"),
        (redis_keys.grant(BOT, "g"), "aegis:{26}:grant:d2746be4e687877edc22b8f038694c299df37df2"),
        (redis_keys.limit(PARTITION, "l", "acme/emea", 7), "aegis:{26}:limit:d053eb6278caaef97846fe2d19d09f7c14cbeb37"),
        (redis_keys.flags(PARTITION, "acme/emea/bot"), "aegis:{26}:flags:df4888adda3a8d1bde61d33ddcd38bdfc053a4c8"),
        (redis_keys.reserved(PARTITION, "d-1"), "aegis:{26}:reserved:d-1"),
        (redis_keys.counted(PARTITION), "aegis:{26}:counted"),
        (redis_keys.approvals(PARTITION), "aegis:{26}:approvals"),
        (redis_keys.pending(BOT, "d"), "aegis:{26}:pending:e8964e5a1cd00560714f5266b3b3ccef9f0f616f"),
        (redis_keys.single_use("proof", "a"), "aegis:once:964b853a6b0ff8db7a9ad34c7f72ddc69a0a21b7"),
    ):
        assert name == literal
