"""Which receiver a URL names, and what is refused before anything is sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.adapters.siem.otlp_logs import OtlpLogs
from aegis_authz.adapters.siem.splunk import SplunkCollector
from aegis_authz.adapters.siem.syslog import Syslog
from aegis_authz.commands.faults import Unable
from aegis_authz.commands.receivers import TOKEN_VARIABLE, Destination, open_receiver

PLAIN = Destination("", None, None, None, "", True, "mesh-1")
SECRET = {TOKEN_VARIABLE: "s3cret"}


def opened(url: str, environment: dict[str, str] = SECRET) -> object:
    receiver = open_receiver(replace(PLAIN, url=url), "1.0.0", environment)
    receiver.close()
    return receiver


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("splunk+https://siem.example.com", SplunkCollector),
        ("splunk+http://127.0.0.1:8088", SplunkCollector),
        ("otlp+https://collector.example.com:4318/path", OtlpLogs),
        ("otlp+http://[::1]", OtlpLogs),
        ("syslog+tls://logs.example.com", Syslog),
        ("syslog+tcp://localhost:1514", Syslog),
    ],
)
def test_the_scheme_says_how(url: str, kind: type) -> None:
    assert isinstance(opened(url), kind)


@pytest.mark.parametrize(
    "url", ["", "https://x", "splunk://x", "syslog+tls://", "otlp+https://x:99999", "otlp+https://u:p@x"]
)
def test_another_url_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(Unable, match="--to is one of splunk") as fault:
        opened(url)
    assert "u:p" not in str(fault.value)


@pytest.mark.parametrize("url", ["splunk+http://siem.example.com", "otlp+http://10.0.0.1", "syslog+tcp://10.0.0.1"])
def test_nothing_goes_unencrypted_over_a_network(url: str) -> None:
    with pytest.raises(Unable, match="unencrypted to loopback alone"):
        opened(url)


def test_splunk_without_a_token_is_refused() -> None:
    with pytest.raises(Unable, match=TOKEN_VARIABLE):
        opened("splunk+https://siem.example.com", {})


def test_files_that_cannot_be_used_are_named_and_no_secret_is_shown(tmp_path: Path) -> None:
    missing = replace(PLAIN, url="splunk+https://x", token_file=tmp_path / "none")
    with pytest.raises(Unable, match=str(tmp_path / "none")):
        open_receiver(missing, "1.0.0", {})
    with pytest.raises(Unable, match="no certificate authorities"):
        open_receiver(replace(PLAIN, url="otlp+https://x", ca=tmp_path / "none"), "1.0.0", {})
    (tmp_path / "token").write_text("one\ntwo")
    with pytest.raises(Unable, match="no line of printable ASCII") as fault:
        open_receiver(replace(missing, token_file=tmp_path / "token"), "1.0.0", {})
    assert "two" not in str(fault.value)
