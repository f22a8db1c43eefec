"""A real server that locks objects, and what is said where it does not do what it is asked for."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aegis_authz.adapters.s3 import S3Store
from aegis_authz.config.shipping import ShippingSettings
from aegis_authz.core.units import Epoch
from aegis_authz.ports.object_store import ObjectLock, StoreUnavailable
from tests.support.real_s3 import S3Server, s3

__all__ = ["s3"]

DIGEST = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def settings(
    bucket: str, endpoint: str, file: Path, members: Mapping[str, Any] = MappingProxyType({})
) -> ShippingSettings:
    return ShippingSettings.model_validate(
        {
            "bucket": bucket,
            "prefix": "gw-0/",
            "endpoint": endpoint,
            "credentials": file,
            "retention": {"mode": "COMPLIANCE", "days": 2},
        }
        | dict(members)
    )


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["COMPLIANCE", "GOVERNANCE"])
def test_nobody_deletes_or_unlocks_what_is_locked_and_a_marker_hides_it_alone(
    s3: S3Server, tmp_path: Path, mode: str
) -> None:
    bucket = s3.bucket()
    store = S3Store(settings(bucket, s3.endpoint, s3.credentials(tmp_path)))
    (tmp_path / "body").write_bytes(b"hello")
    version = store.put("w/1", tmp_path / "body", DIGEST, ObjectLock(mode, Epoch(int(time.time()) + 86_400)))
    client = s3.client()
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=bucket, Key="w/1", VersionId=version)
    with pytest.raises(ClientError, match="AccessDenied"):
        sooner = {"Mode": mode, "RetainUntilDate": datetime.now(UTC) + timedelta(seconds=60)}
        client.put_object_retention(Bucket=bucket, Key="w/1", VersionId=version, Retention=sooner)
    client.delete_object(Bucket=bucket, Key="w/1")
    client.put_object(Bucket=bucket, Key="w/1", Body=b"something else")
    found = list(store.versions("w/"))
    assert [(each.is_newest, each.is_removal) for each in found].count((True, False)) == 1
    assert found[0].is_newest and found[0].version != version
    assert store.state("w/1", version).sha256 == DIGEST


@pytest.mark.slow
def test_a_bucket_without_locks_is_no_place_to_ship_to_and_neither_is_none(s3: S3Server, tmp_path: Path) -> None:
    store = S3Store(settings(s3.bucket(locks=False), s3.endpoint, s3.credentials(tmp_path)))
    with pytest.raises(StoreUnavailable, match="locks no objects: what is shipped there could be deleted"):
        store.require_lock()
    with pytest.raises(StoreUnavailable, match="NoSuchBucket"):
        S3Store(settings("nowhere", s3.endpoint, s3.credentials(tmp_path))).require_lock()


@pytest.mark.slow
def test_a_wrong_secret_is_refused_and_said_nowhere(s3: S3Server, tmp_path: Path) -> None:
    file = s3.credentials(tmp_path)
    file.write_text(file.read_text("utf-8").replace(s3.secret_key, "not-the-secret"), "utf-8")
    with pytest.raises(StoreUnavailable) as fault:
        S3Store(settings(s3.bucket(), s3.endpoint, file)).require_lock()
    assert "SignatureDoesNotMatch" in str(fault.value)
    assert "not-the-secret" not in str(fault.value)


def test_a_store_that_does_not_answer_is_said_with_its_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis_authz.adapters.s3._TRIES", 1)
    file = credentials(tmp_path, "[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    with pytest.raises(StoreUnavailable, match=r"s3://records: .*http://127.0.0.1:9/"):
        S3Store(settings("records", "http://127.0.0.1:9", file)).require_lock()


def credentials(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "credentials"
    file.write_text(text, "utf-8")
    os.chmod(file, mode)
    return file


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("[default]\naws_access_key_id = a\n", 0o600, "needs a section"),
        ("aws_access_key_id = hush\n", 0o600, "needs a section"),
        ("[other]\naws_access_key_id = hush\naws_secret_access_key = hush\n", 0o600, "needs a section"),
        ("[default]\naws_access_key_id = a\naws_secret_access_key = b\n", 0o644, "lets others use this secret"),
    ],
)
def test_a_file_of_credentials_that_cannot_be_used_says_why_and_not_what_is_in_it(
    tmp_path: Path, text: str, mode: int, words: str
) -> None:
    with pytest.raises(StoreUnavailable, match=words) as fault:
        S3Store(settings("records", "http://127.0.0.1:9", credentials(tmp_path, text, mode)))
    assert "hush" not in str(fault.value)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("bucket", "Upper"),
        ("prefix", "no-slash"),
        ("prefix", "../"),
        ("endpoint", "http://elsewhere.example"),
        ("retention", {"mode": "NONE", "days": 2}),
        ("retention", {"mode": "COMPLIANCE", "days": 0}),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, member: str, value: object) -> None:
    with pytest.raises(ValueError, match=member):
        settings("records", "http://127.0.0.1:9", tmp_path / "credentials", {member: value})
