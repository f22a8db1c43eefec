"""The rendered configuration: what must never be otherwise, and that the committed files are what is rendered."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthz, ExtAuthzPerRoute
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import ONE_OPERATION, Action, BodyFormat, Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE, Interface, Method, Sending
from aegis_authz.proxy.authorizers import authorizers
from aegis_authz.proxy.bootstrap import bootstrap
from aegis_authz.proxy.clusters import clusters
from aegis_authz.proxy.example import EXAMPLE, example_files
from aegis_authz.proxy.render import config_files, to_yaml, write_config
from aegis_authz.proxy.routes import route_configs

if TYPE_CHECKING:
    from conftest import Starter

ROOT = Path(__file__).parents[2]
DEPLOYED, TOOLS = ROOT / "deploy" / "envoy", ROOT / "policies" / "tools"


def _tool(name: str, host: str, upstream: str = "", port: int | None = None) -> Tool:
    return Tool(name, host, port, upstream, (), "", "", None, False, False, NO_INTERFACE)


def _settings(**changes: object) -> ProxySettings:
    return EXAMPLE.model_copy(update=changes)


def _managers(start: Bootstrap) -> list[HttpConnectionManager]:
    assert start.static_resources is not None
    filters = [chain.filters[0] for listener in start.static_resources.listeners for chain in listener.filter_chains]
    managers = [one.typed_config.unpack() for one in filters if one.typed_config is not None]
    assert all(isinstance(manager, HttpConnectionManager) for manager in managers)
    return [manager for manager in managers if isinstance(manager, HttpConnectionManager)]


def _unread(catalogue: Catalogue) -> dict[str, list[tuple[str, str]]]:
    """The paths of routes whose calls are judged before their body is there, and the tools that they are judged as."""
    listeners = {}
    for routes in route_configs(_settings(), catalogue):
        entries = [(host, route) for host in routes.virtual_hosts for route in host.routes]
        listeners[routes.name] = []
        for host, route in entries:
            packed = route.typed_per_filter_config["envoy.filters.http.ext_authz"].unpack()
            assert isinstance(packed, ExtAuthzPerRoute) and packed.check_settings is not None
            is_unread = packed.check_settings.disable_request_body_buffering
            assert is_unread == ("aegis.unread" in packed.check_settings.context_extensions)
            if is_unread:
                assert route.match is not None and route.match.headers[0].string_match is not None
                assert host.routes.index(route) < min(
                    number for number, other in enumerate(host.routes) if other.match and not other.match.headers
                )
                listeners[routes.name].append((route.match.path or "", route.name))
    return listeners


def test_only_streams_are_judged_before_their_body_is_there_and_before_all_else_of_their_address() -> None:
    actions = tuple(
        Action(name.lower(), "POST", ("pay.Pay", name), (), False, (BodyFormat.MESSAGE,), ONE_OPERATION)
        for name in ("Create", "Talk", "Collect")
    )
    interface = Interface({"talk": Method(Sending.OPAQUE, ""), "collect": Method(Sending.STREAM, "")}, {}, {})
    rpc = Tool("rpc", "pay.example", None, "http://10.0.0.1", actions, "", "", None, False, False, interface)
    for catalogue in (Catalogue.of((rpc,)), Catalogue.of((_tool("web", "pay.example", "http://10.0.0.2"), rpc))):
        unread = _unread(catalogue)
        assert unread["forward"] == [("/pay.Pay/Collect", "rpc"), ("/pay.Pay/Talk", "rpc")]
        assert unread["reverse"] == [("/rpc/pay.Pay/Collect", "rpc"), ("/rpc/pay.Pay/Talk", "rpc")]


def test_the_committed_files_are_current() -> None:
    committed = {path.name: path.read_text("utf-8") for path in DEPLOYED.glob("*.yaml")}
    assert committed == example_files(TOOLS), "run `make envoy-config`"


def test_envoy_accepts_the_committed_files(envoy_binary: Path, tmp_path: Path) -> None:
    shutil.copytree(DEPLOYED, tmp_path, dirs_exist_ok=True)
    start = tmp_path / "envoy.yaml"
    start.write_text(start.read_text("utf-8").replace("/etc/aegis/envoy", str(tmp_path)), "utf-8")
    done = subprocess.run(
        [envoy_binary, "--mode", "validate", "-c", start, "--log-level", "warning"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.asyncio(loop_scope="session")
async def test_envoy_runs_with_the_committed_routes_and_clusters(envoys: Starter, short_folder: Path) -> None:
    folder = short_folder / "deployed"
    shutil.copytree(DEPLOYED, folder)
    start = folder / "envoy.yaml"
    text = start.read_text("utf-8")
    for was, becomes in {
        "/etc/aegis/envoy": str(folder),
        "/run/aegis": str(folder),
        "/dev/stdout": str(folder / "access.log"),
        "address: '0.0.0.0'": "address: '127.0.0.1'",
        "port_value: 10000": "port_value: 0",
        "port_value: 10001": "port_value: 0",
    }.items():
        assert was in text
        text = text.replace(was, becomes)
    start.write_text(text, "utf-8")
    settings = _settings(admin_socket=str(folder / "envoy.sock"))
    async with envoys.launched(start, settings) as proxy:
        dump = json.loads((await proxy.admin("/config_dump")).body)
        refused = await proxy.admin("/quitquitquit")
    dumped = json.dumps(dump)
    for name in yaml.safe_load((folder / "cds.yaml").read_text("utf-8"))["resources"]:
        assert f'"{name["name"]}"' in dumped
    assert '"/stripe-payments/"' in dumped
    assert "error_state" not in dumped
    assert refused.status == 403


def test_nothing_stands_before_ext_authz_and_it_fails_closed() -> None:
    for manager in _managers(bootstrap(EXAMPLE)):
        first = manager.http_filters[0]
        assert first.typed_config is not None
        check = first.typed_config.unpack()
        assert isinstance(check, ExtAuthz)
        assert check.failure_mode_allow is False
        assert check.shadow_mode is False
        assert check.with_request_body is not None
        assert check.with_request_body.allow_partial_message is False
        assert check.with_request_body.max_request_bytes == EXAMPLE.max_body_bytes
        assert not first.is_optional
        assert not first.disabled
        assert manager.upgrade_configs == []


def test_who_holds_a_connection_and_says_nothing_is_let_go() -> None:
    for manager in _managers(bootstrap(EXAMPLE)):
        assert manager.common_http_protocol_options is not None
        assert manager.common_http_protocol_options.idle_timeout == timedelta(minutes=5)
        assert manager.request_headers_timeout == timedelta(seconds=10)
        assert manager.request_timeout == timedelta(seconds=30)
        assert manager.stream_idle_timeout == timedelta(hours=1)


def test_buffers_are_larger_than_the_largest_body_that_is_judged() -> None:
    start = bootstrap(_settings(max_body_bytes=8_000_000))
    assert start.static_resources is not None
    assert {one.per_connection_buffer_limit_bytes for one in start.static_resources.listeners} == {16_000_000}


def test_ports_are_not_shared_with_another_process() -> None:
    start = bootstrap(EXAMPLE)
    assert start.static_resources is not None
    assert [listener.enable_reuse_port for listener in start.static_resources.listeners] == [False, False]


@pytest.mark.parametrize(
    ("places", "kind"),
    [
        (("unix:/run/a.sock", "127.0.0.1:9000"), "STATIC"),
        (("[::1]:9000",), "STATIC"),
        (("authz:9000", "127.0.0.1:9000"), "STRICT_DNS"),
    ],
)
def test_authorizers_may_be_sockets_addresses_or_names(places: tuple[str, ...], kind: str) -> None:
    cluster = authorizers(_settings(authz=places))
    assert cluster.type is not None
    assert cluster.type.name == kind
    assert cluster.load_assignment is not None
    assert len(cluster.load_assignment.endpoints[0].lb_endpoints) == len(places)


def test_a_change_of_an_authorizers_health_counts_at_once() -> None:
    # Envoy's default holds back every change within a second of the last one
    lb = authorizers(_settings()).common_lb_config
    assert lb is not None
    assert lb.update_merge_window == timedelta(0)


@pytest.mark.parametrize("places", [(), ("authz",), ("authz:0",), ("authz:x",), ("unix:/run/a.sock", "authz:9000")])
def test_authorizers_that_cannot_be_reached_are_refused(places: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"authz|host:port"):
        authorizers(_settings(authz=places))


@pytest.mark.parametrize(
    ("tool", "address", "port", "kind", "sni"),
    [
        (_tool("t", "api.example"), "api.example", 443, "STRICT_DNS", "api.example"),
        (_tool("t", "api.example", port=8443), "api.example", 8443, "STRICT_DNS", "api.example"),
        (_tool("t", "api.example", "https://real.example"), "real.example", 443, "STRICT_DNS", "real.example"),
        (_tool("t", "api.example", "http://real.example"), "real.example", 80, "STRICT_DNS", None),
        (_tool("t", "api.example", "http://10.0.0.1:9001"), "10.0.0.1", 9001, "STATIC", None),
    ],
)
def test_a_tool_is_reached_where_its_entry_says(
    tool: Tool, address: str, port: int, kind: str, sni: str | None
) -> None:
    cluster = yaml.safe_load(to_yaml(clusters(EXAMPLE, Catalogue.of((tool,)))[0]))
    [endpoint] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert endpoint["endpoint"]["address"]["socket_address"] == {"address": address, "port_value": port}
    assert cluster["type"] == kind
    assert cluster.get("transport_socket", {}).get("typed_config", {}).get("sni") == sni


def test_a_tool_with_an_upstream_of_no_known_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="ftp://real"):
        clusters(EXAMPLE, Catalogue.of((_tool("t", "api.example", "ftp://real.example"),)))


def test_a_name_that_does_not_resolve_holds_nobody_up() -> None:
    assert clusters(EXAMPLE, Catalogue.of((_tool("t", "api.example"),)))[0].wait_for_warm_on_init is False


def test_no_domain_is_named_twice_and_the_default_port_belongs_to_the_bare_host() -> None:
    tools = (
        _tool("eighty", "api.example", port=80),
        _tool("bare", "api.example"),
        _tool("other", "api.example", port=81),
    )
    forward, _ = route_configs(EXAMPLE, Catalogue.of(tools))
    hosts = {host.name: (host.domains, host.routes[0].name) for host in forward.virtual_hosts}
    assert hosts == {
        "api.example": (["api.example", "api.example:80"], "bare"),
        "api.example:81": (["api.example:81"], "other"),
        "unclaimed": (["*"], "unclaimed"),
    }


def test_every_route_is_without_a_time_limit() -> None:
    for routes in route_configs(EXAMPLE, Catalogue.of((_tool("a", "a.example"), _tool("b", "b.example")))):
        actions = [route.route for host in routes.virtual_hosts for route in host.routes if route.route is not None]
        assert actions
        assert {action.timeout.total_seconds() for action in actions if action.timeout is not None} == {0}


def test_the_version_of_the_routes_changes_with_their_content_alone() -> None:
    one, same, other = (
        yaml.safe_load(config_files(EXAMPLE, Catalogue.of((_tool("a", host),)))["rds-forward.yaml"])["version_info"]
        for host in ("a.example", "a.example", "b.example")
    )
    assert one == same != other


def test_what_cannot_be_rendered_leaves_the_old_files(tmp_path: Path) -> None:
    settings = _settings(xds=tmp_path / "xds")
    write_config(tmp_path, settings, Catalogue.of((_tool("a", "a.example"),)))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.yaml")}
    with pytest.raises(ValueError, match="ftp"):
        write_config(tmp_path, settings, Catalogue.of((_tool("a", "a.example", "ftp://x"),)))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
