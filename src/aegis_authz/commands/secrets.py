"""The secrets of a mesh whose processes are started one by one: made once, in a folder for each process."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aegis_authz import durable
from aegis_authz.adapters.files.authority_folder import BUNDLE as TRUST_BUNDLE
from aegis_authz.adapters.files.authority_folder import TRUSTED, AuthorityFolder
from aegis_authz.adapters.files.keys import (
    ADMIN_TOKEN,
    APPROVALS,
    BUNDLE,
    ISSUER,
    OPA_TOKEN,
    RECORDS,
    RECORDS_PUBLIC,
    ROOT,
    ROOT_PUBLIC,
    SESSIONS,
    KeyFolderError,
    load_ed25519,
    load_keys,
    make_secrets,
    publish_record_keys,
)
from aegis_authz.adapters.files.secret_file import SecretUnusable, read_secret
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.intercept.authority import AuthorityUnreadable
from aegis_authz.local.settings import opa_configuration, trusted_authorities

CONTROL, AUTHZ, OPA, CERTIFICATES, REDIS, POSTGRES, OPERATOR, PUBLIC = (
    "control",
    "authz",
    "opa",
    "certificates",
    "redis",
    "postgres",
    "operator",
    "public",
)
REDIS_URL, REDIS_USERS, OPA_CONFIG = "redis.url", "users.acl", "opa.json"
DATABASE_URL, DATABASE_PASSWORD = "database.url", "password"
CA, CA_BUNDLE = "ca.pem", "ca-bundle.pem"

_CONTROL_KEYS = (ISSUER, APPROVALS, BUNDLE, ROOT, RECORDS, ADMIN_TOKEN, OPA_TOKEN)
_AUTHZ_KEYS = (RECORDS, SESSIONS)
_READABLE = 0o644
_GROUP = 10001
IMAGE_USERS = {CONTROL: 10001, AUTHZ: 10001, CERTIFICATES: 10001, OPA: 10002, REDIS: 999, POSTGRES: 999}
"""The user that each process runs under in the images; what is for people stays the maker's."""


@dataclass(frozen=True, slots=True)
class MeshAddresses:
    """Where processes reach each other: Redis as `host:port` or an URL without user and password (docs/deployment.md),
    the control plane as a URL; and the files in which OPA finds its token, and the authorities by which it verifies a
    control plane that speaks TLS, None for the system's.
    """

    redis: str
    control: str
    opa_token: Path
    control_ca: Path | None = None


@unable_on(KeyFolderError, AuthorityUnreadable, SecretUnusable, OSError)
def make_mesh_secrets(out: Path, addresses: MeshAddresses, *, for_images: bool, postgres: str = "") -> tuple[Path, ...]:
    """Make what is missing of the secrets, each folder with what its process needs and nothing else; none is replaced.

    `postgres` is where the control plane reaches PostgreSQL, `host:port`; without it there is no secret of one.

    With `for_images` each folder belongs to the user that its process has in the images, which root alone can do.
    Returns the files that are new. Raises Unable.
    """
    if for_images and os.geteuid() != 0:
        raise Unable("to give files to the users of the images, run this as root (in the image: user 0)")
    before = set(_files(out))
    out.mkdir(parents=True, exist_ok=True, mode=0o711)
    make_secrets(out / CONTROL, _CONTROL_KEYS)
    make_secrets(out / AUTHZ, _AUTHZ_KEYS)
    _publish_keys(out)
    _copy(out / CONTROL / ADMIN_TOKEN, out / OPERATOR / ADMIN_TOKEN)
    _copy(out / CONTROL / OPA_TOKEN, out / OPA / OPA_TOKEN)
    root_key = (out / CONTROL / ROOT_PUBLIC).read_text("ascii")
    kept_in = Path("/var/lib/opa")
    configuration = opa_configuration(addresses.control, addresses.opa_token, root_key, kept_in, addresses.control_ca)
    _write(out / OPA / OPA_CONFIG, configuration.encode("ascii"))
    _make_authority(out)
    _make_redis_users(out, addresses.redis)
    if postgres:
        _make_database_user(out, postgres)
    if for_images:
        _give_to_users(out)
    return tuple(sorted(set(_files(out)) - before))


def _publish_keys(out: Path) -> None:
    keys = load_keys(out / CONTROL)
    authz = load_ed25519(out / AUTHZ / RECORDS)
    own = keys.records.public_key().public_bytes_raw()
    publish_record_keys(out / CONTROL, own, authz.public_key().public_bytes_raw())
    for name in (ROOT_PUBLIC, RECORDS_PUBLIC):
        _write_public(out / PUBLIC / name, (out / CONTROL / name).read_bytes())


def _make_authority(out: Path) -> None:
    authority = AuthorityFolder(out / CERTIFICATES, trusted_authorities())
    authority.open(SystemClock().now())
    _write_public(out / PUBLIC / CA, (out / CERTIFICATES / TRUSTED).read_bytes())
    _write_public(out / PUBLIC / CA_BUNDLE, (out / CERTIFICATES / TRUST_BUNDLE).read_bytes())


def _make_redis_users(out: Path, place: str) -> None:
    """The password of Redis in two URLs, and its hash in the list of users."""
    url_file = out / CONTROL / REDIS_URL
    ids = SystemIds()
    scheme, _, rest = place.rpartition("://") if "://" in place else ("redis", "", f"{place}/0")
    _write(url_file, f"{scheme}://aegis:{ids.token()}{ids.token()}@{rest}\n".encode("ascii"))
    password = urlsplit(read_secret(url_file).decode("ascii").strip()).password
    if not password:
        raise Unable(f"{url_file} holds no password; remove it and run this again")
    _write(out / REDIS / REDIS_USERS, _redis_users(password).encode("ascii"))
    _copy(url_file, out / AUTHZ / REDIS_URL)


def _make_database_user(out: Path, place: str) -> None:
    """The password of PostgreSQL in the control plane's URL, and by itself for the server."""
    url_file = out / CONTROL / DATABASE_URL
    ids = SystemIds()
    _write(url_file, f"postgresql://aegis:{ids.token()}{ids.token()}@{place}/aegis\n".encode("ascii"))
    password = urlsplit(read_secret(url_file).decode("ascii").strip()).password
    if not password:
        raise Unable(f"{url_file} holds no password; remove it and run this again")
    password_file = out / POSTGRES / DATABASE_PASSWORD
    _write(password_file, f"{password}\n".encode("ascii"))
    if read_secret(password_file).decode("ascii").strip() != password:
        raise Unable(f"{password_file} is another password than that of {url_file}; remove the wrong one")


def _redis_users(password: str) -> str:
    digest = hashlib.sha256(password.encode("ascii")).hexdigest()
    return (
        # whoever has no password may ask whether Redis lives, as health checks do
        "user default on nopass resetkeys resetchannels -@all +ping\n"
        # nothing that administers the server, reads its settings or empties it; INFO tells what is needed of them, and
        # CLUSTER SLOTS who serves what
        f"user aegis on #{digest} resetchannels ~* -@all +@all -@admin -@dangerous +info +cluster|slots\n"
    )


def _copy(source: Path, target: Path) -> None:
    """A secret of two processes. Raises Unable where they differ: nobody could say which is right."""
    content = read_secret(source)
    _write(target, content)
    if read_secret(target) != content:
        raise Unable(f"{target} and {source} must be the same and are not; remove the wrong one, and run this again")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True, mode=0o700)
    durable.create(path, content)


def _write_public(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True, mode=0o755)
    path.parent.chmod(0o755)
    durable.replace(path, content, _READABLE)


def _give_to_users(out: Path) -> None:
    for name, user in IMAGE_USERS.items():
        if not (out / name).is_dir():
            continue  # of PostgreSQL, where there is none
        for path in (out / name, *(out / name).iterdir()):
            # never what a link leads to: the folder is its process's own, and the next run is root's again
            os.chown(path, user, _GROUP, follow_symlinks=False)


def _files(out: Path) -> Iterator[Path]:
    return (path for path in out.rglob("*") if path.is_file())
