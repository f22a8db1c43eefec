from __future__ import annotations

import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.keys.trust import public_jwks, trust_data
from aegis_authz.policy.bundle.snapshot import trust_from_data


def test_the_data_plane_reads_back_the_very_keys(settings: ControlSettings, keys: Keys) -> None:
    token, approval = keys.issuer.public_key(), keys.approvals.public_key()
    trust = trust_from_data(trust_data(settings, [token], [approval]))
    assert list(trust.token_keys.values()) == [token.public_bytes_raw()]
    assert list(trust.approval_keys.values()) == [approval.public_bytes_raw()]
    assert (trust.issuer, trust.audience, trust.max_token_life, trust.clock_skew) == ("aegis", "aegis-mesh", 300, 5)


def test_one_key_may_not_sign_both_tokens_and_approvals(settings: ControlSettings, keys: Keys) -> None:
    with pytest.raises(ValueError, match="both"):
        trust_data(settings, [keys.issuer.public_key()], [keys.issuer.public_key()])


def test_no_private_part_is_ever_published(keys: Keys) -> None:
    assert "d" not in public_jwks([keys.issuer.public_key()])[0]


def test_a_whole_number_and_its_float_are_one_setting(settings: ControlSettings, keys: Keys) -> None:
    written = [
        trust_data(settings.model_copy(update={"clock_skew": skew}), [keys.issuer.public_key()], [])
        for skew in (5, 5.0)
    ]
    assert repr(written[0]) == repr(written[1])
