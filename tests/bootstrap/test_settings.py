from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.config import ProxySettings
from aegis_authz.local.settings import write_settings

TEXT = """forward_port: 1
reverse_port: 2
admin_socket: /run/admin.sock
authz: ["unix:/run/authz-0.sock"]
xds: /run/xds
access_log: /run/access.log
ca_file: /run/ca.pem
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "proxy.yaml"
    path.write_text(text, "utf-8")
    return path


def test_settings_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, TEXT), ProxySettings)
    assert settings.forward_port == 1
    assert load_settings(write_settings(tmp_path / "again.yaml", settings), ProxySettings) == settings


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"{TEXT}workers: 1\nworkers: 2\n", "proxy.yaml:9:1: workers: given twice"),
        (f"{TEXT}workers: 0x2\n", "proxy.yaml:8:10: workers: "),
        (f"{TEXT}workers: &many 2\n", "anchors"),
        (f"{TEXT}worker: 2\n", "worker: Extra inputs are not permitted"),
        (f"{TEXT}workers: none\n", "workers: Input should be a valid integer"),
        (f"{TEXT}---\nworkers: 2\n", "holds 2 documents instead of one"),
        ("", "holds 0 documents instead of one"),
        ("- 1\n", "document: Input should be a valid dictionary"),
        ("workers: [\n", "not YAML"),
    ],
)
def test_every_doubt_names_the_file_and_the_key(tmp_path: Path, text: str, complaint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        load_settings(path, ProxySettings)
    assert str(path) in str(refused.value)
    assert complaint in str(refused.value)


def test_a_complaint_never_shows_the_line_itself(tmp_path: Path) -> None:
    path = written(tmp_path, "redis: redis://:sesame@127.0.0.1:1/0\nredis: redis://:sesame@127.0.0.1:1/0\n")
    with pytest.raises(SettingsError) as refused:
        load_settings(path, ProxySettings)
    assert "sesame" not in str(refused.value)


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    for name in ("absent.yaml", "binary.yaml"):
        with pytest.raises(SettingsError, match=name):
            load_settings(tmp_path / name, ProxySettings)
