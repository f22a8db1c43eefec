"""`aegis init`: a folder for each process, with what it needs and nothing that another one alone may have."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aegis_authz.adapters.files.keys import load_ed25519, load_keys, load_session_keys
from aegis_authz.adapters.records.keys import load_public_keys
from aegis_authz.commands.faults import Unable
from aegis_authz.commands.secrets import IMAGE_USERS, MeshAddresses, make_mesh_secrets
from aegis_authz.intercept.authority import read_authority

ADDRESSES = MeshAddresses("redis:6379", "http://control:7400", Path("/run/secrets/opa.token"))
SIGNING = ("issuer.pem", "approvals.pem", "bundle.pem", "root.pem")


def made(out: Path) -> dict[str, set[str]]:
    make_mesh_secrets(out, ADDRESSES, for_images=False)
    return {folder.name: {path.name for path in folder.iterdir()} for folder in out.iterdir()}


def test_each_process_has_what_it_needs(tmp_path: Path) -> None:
    folders = made(tmp_path / "secrets")
    assert folders == {
        "control": {
            *SIGNING,
            "records.pem",
            "admin.token",
            "opa.token",
            "redis.url",
            "root.pub.pem",
            "records.pub.json",
        },
        "authz": {"records.pem", "sessions.keys", "redis.url"},
        "opa": {"opa.token", "opa.json"},
        "certificates": {"signing.pem", "trusted.pem", "bundle.pem"},
        "redis": {"users.acl"},
        "operator": {"admin.token"},
        "public": {"ca.pem", "ca-bundle.pem", "root.pub.pem", "records.pub.json"},
    }
    load_keys(tmp_path / "secrets" / "control")
    load_session_keys(tmp_path / "secrets" / "authz" / "sessions.keys")
    read_authority((tmp_path / "secrets" / "certificates" / "signing.pem").read_bytes())


def test_a_database_has_one_password_in_two_places_and_only_where_there_is_a_database(tmp_path: Path) -> None:
    make_mesh_secrets(tmp_path, ADDRESSES, for_images=False, postgres="postgres:5432")
    url = urlsplit((tmp_path / "control" / "database.url").read_text("ascii").strip())
    assert (url.scheme, url.username, url.hostname, url.port, url.path) == (
        "postgresql", "aegis", "postgres", 5432, "/aegis",
    )  # fmt: skip
    password = (tmp_path / "postgres" / "password").read_text("ascii").strip()
    assert url.password == password
    assert len(password) >= 40
    assert make_mesh_secrets(tmp_path, ADDRESSES, for_images=False, postgres="postgres:5432") == ()
    (tmp_path / "postgres" / "password").write_text("another\n")
    with pytest.raises(Unable, match="is another password than that of"):
        make_mesh_secrets(tmp_path, ADDRESSES, for_images=False, postgres="postgres:5432")


def test_no_private_key_is_in_two_folders(tmp_path: Path) -> None:
    made(tmp_path)
    holders: dict[bytes, set[str]] = {}
    for path in tmp_path.rglob("*.pem"):
        if b"PRIVATE KEY" in path.read_bytes():
            holders.setdefault(path.read_bytes(), set()).add(path.parent.name)
    assert len(holders) == 7
    assert all(len(folders) == 1 for folders in holders.values())


def test_nothing_but_what_is_public_can_be_read_by_others(tmp_path: Path) -> None:
    made(tmp_path)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.parent.name != "public" and b"PRIVATE" in path.read_bytes():
            assert path.stat().st_mode & 0o777 == 0o600, path
    folders = {folder.name: folder.stat().st_mode & 0o777 for folder in tmp_path.iterdir()}
    assert folders.pop("public") == 0o755
    assert set(folders.values()) == {0o700}


def test_records_of_both_writers_verify_by_the_public_keys(tmp_path: Path) -> None:
    made(tmp_path)
    writers = {
        load_ed25519(tmp_path / name / "records.pem").public_key().public_bytes_raw() for name in ("control", "authz")
    }
    assert len(writers) == 2
    for name in ("control", "public"):
        published = load_public_keys(tmp_path / name / "records.pub.json")
        assert set(published) == writers


def test_opa_verifies_a_control_plane_of_tls_by_the_file_that_is_named(tmp_path: Path) -> None:
    authority = Path("/run/secrets/public/control-ca.pem")
    addresses = replace(ADDRESSES, control="https://control:7400", control_ca=authority)
    make_mesh_secrets(tmp_path, addresses, for_images=False)
    service = json.loads((tmp_path / "opa" / "opa.json").read_text())["services"]["control"]
    assert (service["url"], service["tls"]) == ("https://control:7400", {"ca_cert": str(authority)})


def test_redis_knows_the_password_by_its_hash_alone(tmp_path: Path) -> None:
    made(tmp_path)
    urls = {(tmp_path / name / "redis.url").read_text() for name in ("control", "authz")}
    assert len(urls) == 1
    url = urlsplit(urls.pop().strip())
    assert (url.scheme, url.username, url.hostname, url.port) == ("redis", "aegis", "redis", 6379)
    assert url.password is not None and len(bytes.fromhex(url.password)) == 32
    users = (tmp_path / "redis" / "users.acl").read_text()
    assert hashlib.sha256(url.password.encode()).hexdigest() in users
    assert url.password not in users


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("cluster://a:1,b:2", "cluster://aegis:PASSWORD@a:1,b:2"),
        ("clusters://a:1?ssl_ca_certs=/ca.pem", "clusters://aegis:PASSWORD@a:1?ssl_ca_certs=/ca.pem"),
        ("sentinel://a:1/mesh", "sentinel://aegis:PASSWORD@a:1/mesh"),
        ("rediss://a:1/0", "rediss://aegis:PASSWORD@a:1/0"),
    ],
)
def test_redis_may_be_of_any_kind(tmp_path: Path, place: str, url: str) -> None:
    make_mesh_secrets(tmp_path, replace(ADDRESSES, redis=place), for_images=False)
    text = (tmp_path / "authz" / "redis.url").read_text().strip()
    password = urlsplit(text).password
    assert password is not None and len(password) == 64
    assert text == url.replace("PASSWORD", password)


def test_opa_is_told_where_the_control_plane_is_and_whose_configuration_to_believe(tmp_path: Path) -> None:
    made(tmp_path)
    told = json.loads((tmp_path / "opa" / "opa.json").read_text())
    assert told["services"]["control"]["url"] == "http://control:7400"
    assert told["services"]["control"]["credentials"] == {"bearer": {"token_path": "/run/secrets/opa.token"}}
    assert told["keys"]["root"]["key"] == (tmp_path / "public" / "root.pub.pem").read_text()
    assert (tmp_path / "opa" / "opa.token").read_bytes() == (tmp_path / "control" / "opa.token").read_bytes()


def test_nothing_is_made_twice(tmp_path: Path) -> None:
    made(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert make_mesh_secrets(tmp_path, ADDRESSES, for_images=False) == ()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("lost", ["authz/records.pem", "opa/opa.token", "redis/users.acl", "public/ca.pem"])
def test_what_was_lost_alone_is_made_again(tmp_path: Path, lost: str) -> None:
    made(tmp_path)
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.token")}
    (tmp_path / lost).unlink()
    assert make_mesh_secrets(tmp_path, ADDRESSES, for_images=False) == (tmp_path / lost,)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.token")} == kept


def test_two_files_that_must_be_the_same_and_are_not_are_said(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "opa" / "opa.token").write_text("0" * 64)
    with pytest.raises(Unable, match=r"opa/opa\.token and .*control/opa\.token must be the same") as refused:
        made(tmp_path)
    assert "0" * 64 not in str(refused.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files are given to other users, which is NOT tested here")
def test_for_images_each_folder_belongs_to_its_process(tmp_path: Path) -> None:
    make_mesh_secrets(tmp_path, ADDRESSES, for_images=True, postgres="postgres:5432")
    for name, user in IMAGE_USERS.items():
        assert {path.stat().st_uid for path in (tmp_path / name, *(tmp_path / name).iterdir())} == {user}
    assert (tmp_path / "operator" / "admin.token").stat().st_uid == 0
    # and once more on what belongs to others by now
    assert make_mesh_secrets(tmp_path, ADDRESSES, for_images=True) == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files are given to other users, which is NOT tested here")
def test_what_a_process_links_to_from_its_folder_is_given_to_nobody(tmp_path: Path) -> None:
    out = tmp_path / "secrets"
    make_mesh_secrets(out, ADDRESSES, for_images=True)
    foreign = tmp_path / "of_root"
    foreign.write_text("root's alone")
    # the folder is its process's own: whoever took that over can put into it whatever it likes
    (out / "control" / "link").symlink_to(foreign)
    (out / "control" / "neighbour").symlink_to(out / "redis" / "users.acl")
    make_mesh_secrets(out, ADDRESSES, for_images=True)
    assert foreign.stat().st_uid == 0
    assert (out / "redis" / "users.acl").stat().st_uid == IMAGE_USERS["redis"]
