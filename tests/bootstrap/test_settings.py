from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.config.authz import AuthzSettings
from aegis_authz.config.control import ControlSettings
from aegis_authz.config.proxy import ProxySettings
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
        (f"{TEXT}workload: {{pod: {{listen: '10.0.0.1:80'}}}}\n", "10.0.0.1:80 can be reached by others"),
        (f"{TEXT}workload: {{pod: {{listen: '0.0.0.0:80'}}}}\n", "can be reached by others"),
        (f"{TEXT}workload: {{pod: {{listen: 'localhost:80'}}}}\n", "can be reached by others"),
        (f"{TEXT}workload: {{forward: {{listen: '127.0.0.1:80'}}}}\n", "and none of forward, reverse, door"),
        (f"{TEXT}workload: {{door: {{listen: '127.0.0.1:80'}}}}\n", "and none of forward, reverse, door"),
        (f"{TEXT}transparent: {{listeners: {{door: 15001}}}}\n", "and none of forward, reverse, door"),
        (f"{TEXT}workload: {{Pod: {{listen: '127.0.0.1:80'}}}}\n", "must be a name of lower-case letters"),
        (f"{TEXT}workload: {{pod: {{listen: 'unix:/run/pod.sock', mode: '777'}}}}\n", "mode: String should match"),
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


AUTHZ = """listen: "unix:/run/authz.sock"
opa_socket: /run/opa.sock
redis: redis://127.0.0.1
records: /run/records
record_key: /run/records.pem
session_keys: /run/sessions.keys
metrics: 127.0.0.1:9000
metrics_dir: /run/metrics
ready_socket: /run/ready.sock
identity:
"""
POD = "{agent: acme/emea/bot, token_endpoint: 'https://control.example/v1/token', key: /run/key.pem}"


def in_file(folder: Path, content: bytes, mode: int = 0o600) -> str:
    path = folder / "redis.url"
    path.touch(mode)
    path.chmod(mode)
    path.write_bytes(content)
    return AUTHZ.replace("redis://127.0.0.1", f"{{file: {path}}}").replace("identity:\n", "")


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    text = in_file(tmp_path, b"redis://aegis:sesame@redis:6379/0\n")
    assert load_settings(written(tmp_path, text), AuthzSettings).redis == "redis://aegis:sesame@redis:6379/0"


@pytest.mark.parametrize(
    ("content", "mode", "complaint"),
    [
        (b"redis://:sesame@redis", 0o644, "redis.url: mode 0644 lets others use this secret"),
        (b"redis://:sesame@redis\nredis://:sesame@other", 0o600, "redis.url: not one line of text"),
        (b"", 0o600, "redis.url: not one line of text"),
        (b"redis://:sesame\xff@redis", 0o600, "redis.url: not ASCII"),
    ],
)
def test_a_file_that_is_no_secret_is_named_and_not_shown(
    tmp_path: Path, content: bytes, mode: int, complaint: str
) -> None:
    path = written(tmp_path, in_file(tmp_path, content, mode))
    with pytest.raises(SettingsError) as refused:
        load_settings(path, AuthzSettings)
    assert complaint in str(refused.value)
    assert "sesame" not in str(refused.value)


def test_a_secret_may_stand_in_a_variable_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGIS_REDIS", "redis://aegis:sesame@redis:6379/0")
    text = AUTHZ.replace("redis://127.0.0.1", "{env: AEGIS_REDIS}").replace("identity:\n", "")
    assert load_settings(written(tmp_path, text), AuthzSettings).redis == "redis://aegis:sesame@redis:6379/0"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "AEGIS_REDIS: no such variable in the environment"),
        ("", "AEGIS_REDIS: not one line of text"),
        ("redis://:sesame@redis\nredis://:sesame@other", "AEGIS_REDIS: not one line of text"),
        ("redis://:sesam\u00e9@redis", "AEGIS_REDIS: not ASCII"),
    ],
)
def test_a_variable_that_is_no_secret_is_named_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, complaint: str
) -> None:
    monkeypatch.delenv("AEGIS_REDIS", raising=False)
    if content is not None:
        monkeypatch.setenv("AEGIS_REDIS", content)
    text = AUTHZ.replace("redis://127.0.0.1", "{env: AEGIS_REDIS}").replace("identity:\n", "")
    with pytest.raises(SettingsError, match=complaint) as refused:
        load_settings(written(tmp_path, text), AuthzSettings)
    assert "sesam" not in str(refused.value)


def test_the_url_of_the_database_is_such_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "database.url"
    file.touch(0o600)
    file.write_text("postgresql://aegis:sesame@db/aegis\n")
    text = f"""listen: 127.0.0.1:7400
public_url: http://127.0.0.1:7400
state: /srv/state
keys: /srv/keys
records: /srv/records
policies: /srv/policies
tools: /srv/tools
redis: redis://127.0.0.1
database: {{file: {file}}}
"""
    assert load_settings(written(tmp_path, text), ControlSettings).database == "postgresql://aegis:sesame@db/aegis"


@pytest.mark.parametrize(
    "value",
    [
        "{file: /absent/redis.url}",
        "{file: 1}",
        "{file: /x, mode: 1}",
        "{path: /x}",
        "{env: 1}",
        "{env: 'A B'}",
        "{env: A, file: /x}",
    ],
)
def test_a_file_that_is_not_named_rightly_is_an_error(tmp_path: Path, value: str) -> None:
    text = AUTHZ.replace("redis://127.0.0.1", value).replace("identity:\n", "")
    with pytest.raises(SettingsError, match="redis"):
        load_settings(written(tmp_path, text), AuthzSettings)


def test_listeners_may_stand_for_several_agents(tmp_path: Path) -> None:
    text = f"{AUTHZ}  accept: [bound]\n  workload:\n    pod: {POD}\n    job: {POD.replace('bot', 'job')}\n"
    identity = load_settings(written(tmp_path, text), AuthzSettings).identity
    assert {name: entry.agent for name, entry in identity.workload.items()} == {
        "pod": "acme/emea/bot",
        "job": "acme/emea/job",
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("  accept: [workload]\n", "workload is taken beside no other way: name the listener and its agent"),
        ("  listeners: {pod: [bound, workload]}\n", "workload is taken beside no other way"),
        (f"  listeners: {{pod: [bound]}}\n  workload: {{pod: {POD}}}\n", "the listener pod stands for an agent"),
        (f"  workload: {{forward: {POD}}}\n", "and none of forward, reverse, door"),
        (f"  workload: {{pod: {POD.replace('acme/emea/bot', 'acme/*/bot')}}}\n", "workload.pod.agent"),
        (f"  workload: {{pod: {POD.replace('https', 'http')}}}\n", "http:// on loopback alone"),
        (f"  workload: {{pod: {POD.replace('https://', 'https://me:secret@')}}}\n", "must be https://"),
    ],
)
def test_a_listener_has_one_meaning_and_a_private_way_to_its_token(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(written(tmp_path, AUTHZ + text), AuthzSettings)
    assert complaint in str(refused.value)
    assert "secret" not in str(refused.value)


def with_redis(text: str) -> str:
    return AUTHZ.replace("redis: redis://127.0.0.1", f"redis: {text}").replace("identity:\n", "")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("cluster://a:1,b:2", "cluster://a:1,b:2"),
        ("{cluster: {nodes: ['a:1', '[::1]:2']}}", "cluster://a:1,[::1]:2"),
        ("{cluster: {nodes: ['a:1'], password: 'p@ss/1'}}", "cluster://:p%40ss%2F1@a:1"),
        ("{cluster: {nodes: ['a:1'], user: me, password: p, tls: {}}}", "clusters://me:p@a:1"),
        (
            "{cluster: {nodes: ['a:1'], tls: {authorities: /run/a b.pem, certificate: /c.pem, key: /k.pem}}}",
            "clusters://a:1?ssl_ca_certs=/run/a%20b.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem",
        ),
        ("{sentinel: {nodes: ['a:1', 'b:2'], service: mesh}}", "sentinel://a:1,b:2/mesh"),
        ("{sentinel: {nodes: ['a:1'], service: mesh, user: me, password: p}}", "sentinel://me:p@a:1/mesh"),
    ],
)
def test_redis_in_words_is_an_url(tmp_path: Path, text: str, url: str) -> None:
    assert load_settings(written(tmp_path, with_redis(text)), AuthzSettings).redis == url


@pytest.mark.parametrize("kind", ["cluster: {nodes: ['a:1']", "sentinel: {nodes: ['a:1'], service: mesh"])
def test_the_password_in_words_may_stand_in_a_file_of_its_own(tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "password"
    secret.touch(0o600)
    secret.write_text("sesame\n", "utf-8")
    settings = written(tmp_path, with_redis(f"{{{kind}, password: {{file: {secret}}}}}}}"))
    assert ":sesame@a:1" in load_settings(settings, AuthzSettings).redis
    secret.chmod(0o644)
    with pytest.raises(SettingsError, match="mode 0644 lets others use this secret"):
        load_settings(settings, AuthzSettings)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{}", "redis: Value error, must name either sentinel or cluster"),
        (
            "{cluster: {nodes: ['a:1']}, sentinel: {nodes: ['a:1'], service: m}}",
            "must name either sentinel or cluster",
        ),
        ("{cluster: {nodes: []}}", "cluster.nodes: Tuple should have at least 1 item"),
        ("{cluster: {nodes: ['a']}}", "cluster.nodes.0: String should match pattern"),
        ("{cluster: {nodes: ['u:sesame@a:1']}}", "cluster.nodes.0: String should match pattern"),
        ("{cluster: {nodes: ['a:1'], database: 1}}", "cluster.database: Extra inputs are not permitted"),
        ("{cluster: {nodes: ['a:1'], password: [sesame]}}", "cluster.password: Input should be a valid string"),
        ("{cluster: {nodes: ['a:1'], tls: {key: /k.pem}}}", "certificate and key go together"),
        ("{sentinel: {nodes: ['a:1']}}", "sentinel.service: Field required"),
        ("{sentinel: {nodes: ['a:1'], service: 'a/b'}}", "sentinel.service: String should match pattern"),
    ],
)
def test_redis_in_words_that_names_no_place_is_refused_and_not_shown(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(written(tmp_path, with_redis(text)), AuthzSettings)
    assert complaint in str(refused.value)
    assert "sesame" not in str(refused.value)
