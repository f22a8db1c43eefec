"""A bucket of S3, or of storage that speaks its protocol, whose objects are locked (S3 Object Lock)."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aegis_authz.adapters.files.secret_file import SecretUnusable, read_secret
from aegis_authz.config.shipping import ShippingSettings
from aegis_authz.core.units import Epoch
from aegis_authz.ports.object_store import (
    ObjectLock,
    ObjectMissing,
    ObjectState,
    ObjectTaken,
    ObjectTooLarge,
    ObjectVersion,
    StoreUnavailable,
)

_TRIES = 4
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_BLOCK = 1024 * 1024
_TAKEN_CODES = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_MISSING_CODES = ("404", "NoSuchKey", "NoSuchVersion", "405", "MethodNotAllowed")
"""The last two stand for a version that is a marker of a removal."""


class S3Store:
    """`ports.ObjectStore` over boto3. Secrets are in files or the environment, and in no message."""

    def __init__(self, settings: ShippingSettings) -> None:
        """Raises StoreUnavailable where the credentials or the endpoint are not usable as they are named."""
        self._bucket = settings.bucket
        with _faults(settings.bucket):
            self._client: Any = _session(settings).client(
                "s3",
                endpoint_url=settings.endpoint,
                region_name=settings.region,
                verify=str(settings.authority) if settings.authority is not None else None,
                config=Config(
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS,
                    retries={"mode": "standard", "total_max_attempts": _TRIES},
                    s3={"addressing_style": "path" if settings.endpoint is not None else "auto"},
                ),
            )

    @property
    def name(self) -> str:
        """The bucket, for messages."""
        return f"s3://{self._bucket}"

    def require_lock(self) -> None:
        """Raises StoreUnavailable unless the bucket is there and locks objects."""
        with _faults(self._bucket):
            try:
                answer = self._client.get_object_lock_configuration(Bucket=self._bucket)
            except ClientError as fault:
                if _code(fault) != "ObjectLockConfigurationNotFoundError":
                    raise
                answer = {}
        if answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") != "Enabled":
            raise StoreUnavailable(
                f"{self.name} locks no objects: what is shipped there could be deleted; make a bucket with object lock"
            )

    def put(self, key: str, file: Path, sha256: str, lock: ObjectLock) -> str:
        """Write a file as an object of its own, locked. Raises ObjectTaken, StoreUnavailable, OSError."""
        with file.open("rb") as body, _faults(self._bucket):
            try:
                answer = self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=body,
                    ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode("ascii"),
                    ObjectLockMode=lock.mode,
                    ObjectLockRetainUntilDate=datetime.fromtimestamp(lock.until, UTC),
                    IfNoneMatch="*",
                )
            except ClientError as fault:
                if _code(fault) in _TAKEN_CODES:
                    raise ObjectTaken from None
                raise
        return str(answer.get("VersionId", ""))

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        """Every version of every object whose key begins so, by key, the newest version of each first."""
        with _faults(self._bucket):
            listing: list[tuple[str, bool, datetime, ObjectVersion]] = []
            for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix):
                for kind in ("Versions", "DeleteMarkers"):
                    for entry in page.get(kind, ()):
                        version = ObjectVersion(
                            entry["Key"], entry["VersionId"], entry["IsLatest"], kind == "DeleteMarkers"
                        )
                        listing.append((version.key, version.is_newest, entry["LastModified"], version))
        listing.sort(key=lambda entry: (entry[1], entry[2]), reverse=True)
        listing.sort(key=lambda entry: entry[0])
        yield from (entry[3] for entry in listing)

    def state(self, key: str, version: str) -> ObjectState:
        """What the store says of that version. Raises ObjectMissing, StoreUnavailable."""
        with _faults(self._bucket):
            try:
                answer = self._client.head_object(
                    Bucket=self._bucket, Key=key, VersionId=version, ChecksumMode="ENABLED"
                )
            except ClientError as fault:
                if _code(fault) in _MISSING_CODES:
                    raise ObjectMissing from None
                raise
        mode, until = answer.get("ObjectLockMode"), answer.get("ObjectLockRetainUntilDate")
        lock = ObjectLock(str(mode), Epoch(until.timestamp())) if mode and until is not None else None
        return ObjectState(int(answer["ContentLength"]), _hex(answer.get("ChecksumSHA256", "")), lock)

    def read(self, key: str, version: str, target: Path, most: int) -> None:
        """Write the bytes of that version into a file of its own, no more than `most`.

        Raises ObjectMissing, ObjectTooLarge, StoreUnavailable, OSError.
        """
        with _faults(self._bucket):
            try:
                body = self._client.get_object(Bucket=self._bucket, Key=key, VersionId=version)["Body"]
            except ClientError as fault:
                if _code(fault) in _MISSING_CODES:
                    raise ObjectMissing from None
                raise
            with body, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                for block in body.iter_chunks(_BLOCK):
                    most -= len(block)
                    if most < 0:
                        raise ObjectTooLarge
                    file.write(block)


def _session(settings: ShippingSettings) -> Any:
    """Whoever asks: by the file that is named, else as the AWS tools find it. Raises StoreUnavailable."""
    if settings.credentials is None:
        return boto3.Session()
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(read_secret(settings.credentials).decode("utf-8"))
        section = parser["default"]
        return boto3.Session(
            section["aws_access_key_id"], section["aws_secret_access_key"], section.get("aws_session_token")
        )
    except SecretUnusable as fault:
        raise StoreUnavailable(str(fault)) from None
    except (ConfigParserError, UnicodeDecodeError, KeyError):  # their words hold lines of the file
        raise StoreUnavailable(
            f"{settings.credentials}: needs a section [default] of aws_access_key_id and aws_secret_access_key"
        ) from None


@contextmanager
def _faults(bucket: str) -> Iterator[None]:
    """What boto3 raises inside the block is raised as StoreUnavailable; its words name operation and endpoint alone."""
    try:
        yield
    except (BotoCoreError, ClientError) as fault:
        raise StoreUnavailable(f"s3://{bucket}: {fault}") from fault


def _code(fault: ClientError) -> str:
    return str(fault.response.get("Error", {}).get("Code", ""))


def _hex(checksum: str) -> str:
    """The SHA-256 in hex; "" for none, and for one over parts of an object, which is none of its bytes."""
    try:
        digest = base64.b64decode(checksum, validate=True)
    except ValueError:
        return ""
    return digest.hex() if len(digest) == 32 else ""
