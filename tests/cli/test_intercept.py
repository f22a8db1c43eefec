"""`aegis intercept`: rules put up, looked at and taken off in a network namespace of the test's own, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from aegis_authz.cli.intercept import app
from aegis_authz.local.namespaces import in_namespace, missing

AEGIS = f"{sys.executable} -m aegis_authz.cli intercept"


def namespace(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in which `aegis` is `aegis intercept`."""
    if missing():
        pytest.skip(missing())
    return in_namespace("sh", "-c", f'aegis() {{ {AEGIS} "$@"; }}\nip link set lo up\n{script}')


def test_rules_are_printed_without_root_and_without_nft() -> None:
    done = CliRunner().invoke(app, ["rules", "--uid", "10001", "--uid", "10002=15002", "--gateway", "root"])
    assert done.exit_code == 0
    assert "elements = { 10001 : 15001, 10002 : 15002 }" in done.stdout
    assert "set gateways { type uid; elements = { 0 } }" in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "name whom to hold"),
        (("--uid", "nobody-of-that-name"), "there is no user 'nobody-of-that-name' on this machine"),
        (("--uid", "10001=http"), "the port is not a number"),
        (("--uid", "1337"), "both --uid and --gateway"),
        (("--pod", "--inbound", "15001"), "cannot open a port of the gateway"),
    ],
)
def test_words_that_make_no_rules_are_refused_with_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    done = CliRunner().invoke(app, ["rules", *words])
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr


def test_rules_come_and_go() -> None:
    done = namespace(
        "aegis up --pod --device lo --inbound 15021\n"
        "aegis up --pod --uid 10001 --device lo --inbound 15021\n"  # in place of those that were
        "aegis status --json; echo $?; aegis down; aegis down; aegis status; echo $?; nft list tables"
    )
    assert done.stderr == ""
    first, second, rest = done.stdout.split("\n", 2)
    assert first == "on: only user 1337 may go out; all others are led to port 15001"
    assert second == "on: only user 1337 may go out; user 10001 is led to port 15001; all others are refused"
    facts, _, rest = rest.partition("\n}\n")
    assert json.loads(facts + "}") == {
        "on": True,
        "damage": [],
        "pod": True,
        "uids": {"10001": 15001},
        "port": None,
        "dns_port": 15053,
        "gateways": [1337],
        "inbound": [15021],
        "local": [],
        "devices": ["lo"],
        "packets": dict.fromkeys(("redirected", "lookups", "refused", "strangers", "frames"), 0),
    }
    assert rest == "0\noff\nnothing was on\noff: nothing is held in this network namespace\n1\n"


def test_rules_that_somebody_changed_are_no_longer_on() -> None:
    done = namespace("aegis up --pod; nft flush chain inet aegis leave; aegis status; echo $?")
    assert done.stdout.endswith("changed: the chain leave has 0 rules and not 10\n1\n")


def test_a_table_of_somebody_else_is_left_alone() -> None:
    done = namespace("nft add table inet aegis; aegis up --pod; echo $?; aegis down; echo $?; nft list tables")
    assert done.stdout == "1\n1\ntable inet aegis\n"
    assert done.stderr.count("that aegis intercept did not write") == 2


def test_a_device_that_is_not_there_is_named_and_nothing_is_put_up() -> None:
    done = namespace("aegis up --pod --device eth9; echo $?; nft list tables")
    assert (done.stdout, done.stderr) == ("2\n", "aegis intercept up: there is no device eth9 here: lo\n")


@pytest.mark.parametrize("command", ["up --pod", "down", "status"])
def test_without_the_right_to_it_nothing_is_done(command: str) -> None:
    done = namespace(f"setpriv --bounding-set=-all --inh-caps=-all --no-new-privs {AEGIS} {command}; echo $?")
    assert done.stdout == "2\n"
    assert "needs root, or the capability NET_ADMIN" in done.stderr


def test_without_nft_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis_authz.adapters.netfilter.PLACES", "/nowhere")
    monkeypatch.setenv("PATH", "/nowhere")
    done = CliRunner().invoke(app, ["status"])
    assert (done.exit_code, "package nftables" in done.stderr) == (2, True)
