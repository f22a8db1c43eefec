"""The settings files a mesh writes for its processes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from aegis_authz.bootstrap.settings import load_settings
from aegis_authz.config.authz import AuthzSettings, IdentitySettings, WorkerHost
from aegis_authz.config.channels import ChannelSettings
from aegis_authz.config.control import ControlSettings
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.release import ROOT_KEY_ID
from aegis_authz.local.documents import lay_out_probe
from aegis_authz.local.layout import Layout, discard_leftovers, open_layout
from aegis_authz.local.process import Process, ProcessSpec
from aegis_authz.local.readiness import redis_answers
from aegis_authz.local.settings import (
    MeshOptions,
    authz_settings,
    control_settings,
    opa_text,
    proxy_settings,
    redis_text,
    trusted_authorities,
    write_settings,
)
from aegis_authz.policy.load import load
from aegis_authz.redact.detectors.table import DETECTORS

NAME = 'the "mesh\'s" \\ $HOME'  # whatever people call a folder
PORTS = {"proxy": 1001, "reverse": 1002, "control": 1003, "metrics": 1004, "evaluation": 1006, "probe": 1005}


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    yield open_layout(tmp_path / NAME)
    discard_leftovers(tmp_path / NAME)


@pytest.fixture
def options(tmp_path: Path) -> MeshOptions:
    return MeshOptions(
        tmp_path / "policies", tmp_path / "tools", PORTS, 3, WorkerHost.GRPC, "staging", "http://otel:4317", 80
    )


def test_every_process_reads_its_settings_back_as_they_were_written(layout: Layout, options: MeshOptions) -> None:
    for kind, written in (
        (AuthzSettings, authz_settings(layout, options)),
        (ControlSettings, control_settings(layout, options)),
        (ProxySettings, proxy_settings(layout, options)),
    ):
        assert load_settings(write_settings(layout.state / "s.yaml", written), kind) == written


def test_channels_reach_the_control_plane_as_they_were_said(layout: Layout, options: MeshOptions) -> None:
    said = {"slack": {"bot_token_file": "/t", "signing_secret_file": "/s", "people": {"U1": {"id": "ann"}}}}
    channels = ChannelSettings.model_validate(said)
    written = control_settings(layout, replace(options, channels=channels))
    assert load_settings(write_settings(layout.state / "s.yaml", written), ControlSettings).channels == channels
    assert control_settings(layout, options).channels is None


def test_the_processes_are_told_the_same_addresses(layout: Layout, options: MeshOptions) -> None:
    authz, control, proxy = (
        authz_settings(layout, options),
        control_settings(layout, options),
        proxy_settings(layout, options),
    )
    assert proxy.authz == tuple(authz.listen.format(worker=worker) for worker in range(3))
    assert authz.redis == control.redis
    assert (authz.environment, authz.otlp_endpoint, authz.workers) == ("staging", "http://otel:4317", 3)
    opa = json.loads(opa_text(layout, options, "PEM"))
    assert opa["services"]["control"]["url"] == f"http://{control.listen}"
    assert control.public_url == f"http://{control.listen}"


@pytest.mark.parametrize(
    ("endpoint", "protocol"),
    [("http://otel:4317", "grpc"), ("http://otel:4317/", "grpc"), ("http://otel:4318/v1/traces", "http"), ("", "grpc")],
)
def test_spans_go_by_http_where_the_endpoint_has_a_path(
    layout: Layout, options: MeshOptions, endpoint: str, protocol: str
) -> None:
    settings = authz_settings(layout, replace(options, otlp_endpoint=endpoint))
    assert (settings.otlp_endpoint, settings.telemetry.protocol) == (endpoint, protocol)


@pytest.mark.parametrize(
    ("endpoint", "collector"),
    [
        ("http://otel:4317", "otel:4317"),
        ("http://otel:4317/", "otel:4317"),
        ("http://otel:4318/v1/traces", ""),
        ("https://otel:4317", ""),
        ("", ""),
    ],
)
def test_envoys_own_spans_go_where_grpc_in_the_clear_is_taken(
    layout: Layout, options: MeshOptions, endpoint: str, collector: str
) -> None:
    assert proxy_settings(layout, replace(options, otlp_endpoint=endpoint)).collector == collector


def test_envoy_waits_longer_than_a_decision_and_its_record_may_take(layout: Layout, options: MeshOptions) -> None:
    budget = authz_settings(layout, options).budget
    assert (budget.total_ms, budget.pdp_ms) == (80, 60)
    assert proxy_settings(layout, options).check_timeout_ms == 80 + 190 + budget.reserve_ms


def test_opa_takes_its_configuration_only_from_the_root_key_of_this_mesh_and_keeps_the_last(
    layout: Layout, options: MeshOptions
) -> None:
    opa = json.loads(opa_text(layout, options, "PEM"))
    assert opa["keys"] == {ROOT_KEY_ID: {"algorithm": "ES256", "key": "PEM"}}
    assert opa["discovery"]["signing"] == {"keyid": ROOT_KEY_ID}
    assert opa["discovery"]["persist"] is True
    assert "bundles" not in opa, "which keys sign bundles is said by the configuration alone"
    assert Path(opa["persistence_directory"]).is_relative_to(layout.state)


def test_no_secret_stands_in_a_settings_file(layout: Layout, options: MeshOptions) -> None:
    layout.keys.mkdir()
    (layout.keys / "opa.token").write_text("s3cret")
    texts = opa_text(layout, options, "PEM") + redis_text(layout)
    assert "s3cret" not in texts
    assert json.dumps(str(layout.keys / "opa.token")) in texts


async def test_redis_takes_its_settings_listens_on_no_port_and_evicts_nothing(
    layout: Layout, redis_binary: Path, tmp_path: Path
) -> None:
    config = layout.folder("redis") / "redis.conf"
    config.write_text(redis_text(layout))
    look = redis_answers(layout.socket("redis"))
    process = await Process.start(
        ProcessSpec("redis", (str(redis_binary), str(config)), {}, tmp_path / "log", look, 10), 0
    )
    try:
        async with asyncio.timeout(10):
            while await look():
                assert process.exit_code is None, process.log_tail()
                await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_unix_connection(str(layout.socket("redis")))
        settled = {}
        for name in ("port", "maxmemory-policy", "appendonly", "save"):
            writer.write(f"CONFIG GET {name}\r\n".encode())
            settled[name] = [await reader.readline() for _ in range(5)][4].decode().strip()
        writer.close()
        assert settled == {"port": "0", "maxmemory-policy": "noeviction", "appendonly": "yes", "save": ""}
        assert os.stat(layout.socket("redis")).st_mode & 0o077 == 0
    finally:
        await process.stop(5)
    assert list(layout.folder("redis").glob("appendonly*"))


def test_the_authorities_file_is_there() -> None:
    assert "BEGIN CERTIFICATE" in trusted_authorities().read_text("utf-8", "replace")


def test_an_authorities_file_named_by_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = shutil.copy(trusted_authorities(), tmp_path / "own.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    assert trusted_authorities() == own
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    assert trusted_authorities() != tmp_path / "gone.pem"


def test_the_doctors_documents_are_valid_and_name_its_port(tmp_path: Path) -> None:
    lay_out_probe(tmp_path, 1005)
    texts = {kind: (tmp_path / kind / "doctor.yaml").read_text() for kind in ("policies", "tools")}
    loaded = load({"p": texts["policies"]}, {"t": texts["tools"]}, DETECTORS)
    assert [tool.upstream for tool in loaded.tools] == ["http://127.0.0.1:1005"]
    assert [(policy.org, policy.tenant, policy.agent) for policy in loaded.policies] == [
        ("aegis-doctor", "self", "prober")
    ]


@pytest.mark.parametrize(
    "identity",
    [
        {"accept": []},
        {"accept": ["bound", "bound"]},
        {"accept": ["password"]},
        {"accept": ["workload"]},
        {"listeners": {"reverse": []}},
        {"listeners": {"reverse": ["workload"]}},
        {"take": ["bound"]},
    ],
)
def test_a_way_that_cannot_be_taken_is_an_error_and_no_silence(identity: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        IdentitySettings.model_validate(identity)


def test_without_a_word_a_listener_takes_tokens_and_bound_tokens() -> None:
    assert IdentitySettings() == IdentitySettings.model_validate({"accept": ["token", "bound"]})
