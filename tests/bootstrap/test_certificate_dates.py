"""Which certificates a process tells the dates of, by its settings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from aegis_authz.adapters.files.certificate_dates import CertificateDates, CertificateFile
from aegis_authz.bootstrap.certificate_dates import control_certificates, watch_certificates, worker_certificates
from aegis_authz.config.authz import AuthzSettings
from aegis_authz.config.control import TlsSettings
from aegis_authz.telemetry.certificate_gauges import CertificateGauges
from tests.support.control_settings import control_settings

ROOT = Path(__file__).resolve().parents[2]


def test_a_control_plane_tells_of_its_listener_its_clients_and_the_mesh(tmp_path: Path) -> None:
    settings = control_settings(tmp_path)
    assert control_certificates(settings).read() == {}
    tls = TlsSettings(certificate=tmp_path / "c.pem", key=tmp_path / "k.pem", client_ca=tmp_path / "ca.pem")
    told = settings.model_copy(update={"tls": tls, "authorities": tmp_path / "trusted.pem"})
    assert control_certificates(told).read() == dict.fromkeys(("listener", "client-authorities", "mesh-authority"))


def test_a_control_plane_tells_of_the_gateway_where_its_files_are_here(tmp_path: Path) -> None:
    here = tmp_path / "gateway.pem"
    here.write_text("", "utf-8")
    proxy = tmp_path / "proxy.yaml"
    proxy.write_text(
        f"""\
forward_port: 1
reverse_port: 2
admin_socket: a
authz: [unix:/a]
xds: {tmp_path}
access_log: {tmp_path / "log"}
ca_file: {tmp_path / "ca"}
tls: {{certificate: {here}, key: {here}}}
tools:
  near: {{client_certificate: {here}}}
  far: {{client_certificate: {tmp_path / "elsewhere.pem"}}}
  plain: {{}}
""",
        "utf-8",
    )
    told = control_settings(tmp_path).model_copy(update={"proxy": proxy})
    assert control_certificates(told).read() == dict.fromkeys(("gateway", "tool near"))


async def test_what_watches_shows_what_is_there(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    dates = CertificateDates({"listener": CertificateFile(tmp_path / "none.pem", authorities=False)})
    watch = asyncio.create_task(watch_certificates(dates, CertificateGauges(registry)))
    async with asyncio.timeout(10):
        while registry.get_sample_value("aegis_certificate_readable", {"certificate": "listener"}) is None:
            await asyncio.sleep(0)
    watch.cancel()
    assert registry.get_sample_value("aegis_certificate_readable", {"certificate": "listener"}) == 0.0


def test_an_authorizer_tells_of_what_it_serves_and_shows(tmp_path: Path) -> None:
    settings = yaml.safe_load((ROOT / "deploy" / "compose" / "authz.yaml").read_text("utf-8"))
    settings["redis"] = "unix:///nowhere"
    assert worker_certificates(AuthzSettings.model_validate(settings)).read() == {}
    tls = {"certificate": str(tmp_path / "c.pem"), "key": str(tmp_path / "k.pem")}
    more = {
        "evaluation": {"listen": "0.0.0.0:9443", "tls": tls},
        "telemetry": {**tls, "ca": str(tmp_path / "ca.pem")},
        "identity": {
            "workload": {
                "pod": {
                    "agent": "acme/emea/a",
                    "token_endpoint": "https://control.example",
                    "key": "k.pem",
                    "authorities": str(tmp_path / "ca.pem"),
                }
            }
        },
    }
    names = ("evaluation", "collector-client", "collector-authorities", "token endpoint pod")
    assert worker_certificates(AuthzSettings.model_validate({**settings, **more})).read() == dict.fromkeys(names)
