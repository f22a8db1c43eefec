"""The units of deploy/systemd: judged by systemd's own commands, and their command lines played to a first decision."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from aegis_authz.commands.secrets import MeshAddresses, make_mesh_secrets
from aegis_authz.commands.tokens import issuer_key
from aegis_authz.demo.agent import Tokens
from aegis_authz.local.servers import find_opa, find_redis
from aegis_authz.local.tcp_ports import choose_ports
from tests.support.unit_files import FOLDER, UNITS, Machine, directives, install, service_files, stop, unit_name

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "vm.md"
MOST_EXPOSED = 1.5
"""Of 10, by `systemd-analyze security`: what it calls OK, and the most that a unit here may have."""

DRIFT = 0.3
"""By how much versions of systemd differ about the same unit."""


@pytest.fixture
def analyze() -> str:
    """systemd-analyze; without it the test is skipped, loudly."""
    path = shutil.which("systemd-analyze")
    if path is None:
        pytest.skip("NO SYSTEMD-ANALYZE: install it (Debian: apt-get install systemd)")
    return path


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    install(tmp_path)
    return tmp_path


def test_systemd_reads_the_units_without_a_complaint(analyze: str, machine: Path) -> None:
    units = [unit_name(file) for file in service_files()]
    done = subprocess.run(
        [analyze, "verify", f"--root={machine}", "--man=no", "--recursive-errors=no", "aegis.target", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "aegis" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_a_word_that_systemd_does_not_know_is_complained_about(analyze: str, machine: Path) -> None:
    file = machine / "etc" / "systemd" / "system" / "aegis-envoy.service"
    file.write_text(file.read_text("utf-8") + "NoNewPrivilege=yes\n")
    command = [analyze, "verify", f"--root={machine}", "--man=no", "--recursive-errors=no", "aegis-envoy.service"]
    assert "NoNewPrivilege" in subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("file", service_files(), ids=unit_name)
def test_a_unit_is_exposed_no_more_than_is_said(file: Path, analyze: str, machine: Path) -> None:
    command = [analyze, "security", "--offline=true", f"--root={machine}", "--no-pager", unit_name(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    exposed = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert exposed is not None, done.stdout
    assert float(exposed[1]) <= MOST_EXPOSED
    name = unit_name(file).replace("@0", "@N")
    [figure] = re.findall(rf"(?m)^\| `{re.escape(name)}` \| ([0-9.]+) \|", PAGE.read_text("utf-8"))
    assert abs(float(figure) - float(exposed[1])) <= DRIFT


@pytest.mark.parametrize("file", service_files(), ids=unit_name)
def test_every_unit_is_confined(file: Path) -> None:
    said = directives(file)
    assert (said["ProtectSystem"], said["NoNewPrivileges"], said["MemoryDenyWriteExecute"]) == (
        ["strict"],
        ["yes"],
        ["yes"],
    )
    is_interception = file.name == "aegis-intercept.service"
    capabilities = ["CAP_NET_ADMIN"] if is_interception else []
    assert (said["CapabilityBoundingSet"], said.get("AmbientCapabilities", [])) == (capabilities, capabilities)
    assert "User" in said or said["DynamicUser"] == ["yes"]
    assert not any(line.startswith(("+", "!")) for key in said if key.startswith("Exec") for line in said[key])
    assert said["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]
    ready = said.get("ExecStartPost", ())
    assert (
        said["Type"] == ["notify"]
        or is_interception
        or any(re.search("aegis ready .*--pid [$]MAINPID$", line) for line in ready)
    )


def test_no_two_processes_share_a_user() -> None:
    users = [user for file in service_files() for user in directives(file).get("User", ())]
    assert len(users) == len(set(users)) == 7
    declared = re.findall(r"(?m)^u (\S+) ", (FOLDER / "aegis.sysusers").read_text("utf-8"))
    assert set(declared) == set(users)
    assert re.search(r"(?m)^u aegis-envoy +1337:aegis ", (FOLDER / "aegis.sysusers").read_text("utf-8"))


def test_the_target_wants_every_process_but_the_interception() -> None:
    wanted = set(re.findall(r"aegis-\S+\.service", (UNITS / "aegis.target").read_text("utf-8")))
    services = {unit_name(file) for file in service_files()} - {"aegis-intercept.service"}
    assert wanted == services | {"aegis-authz@1.service"}


def test_nobody_is_given_another_ones_secret() -> None:
    given = {
        unit_name(file): {
            source.removeprefix("/var/lib/aegis/secrets/").partition("/")[0]
            for credential in directives(file).get("LoadCredential", ())
            for source in [credential.partition(":")[2]]
        }
        for file in service_files()
    }
    assert {unit: folders for unit, folders in given.items() if folders} == {
        "aegis-authz@0.service": {"authz"},
        "aegis-certificates.service": {"certificates"},
        "aegis-opa.service": {"opa"},
        "aegis-redis.service": {"redis"},
    }


def test_the_users_and_folders_are_made_by_systemds_own_commands(machine: Path) -> None:
    sysusers, tmpfiles = shutil.which("systemd-sysusers"), shutil.which("systemd-tmpfiles")
    if sysusers is None or tmpfiles is None or os.geteuid() != 0:
        pytest.skip("NO SYSTEMD-SYSUSERS OR NO ROOT: needs both (Debian: apt-get install systemd)")
    secrets = machine / "var" / "lib" / "aegis" / "secrets" / "control"
    secrets.mkdir(parents=True)
    (secrets / "issuer.pem").touch(0o600)
    (machine / "etc" / "passwd").touch()
    subprocess.run([sysusers, f"--root={machine}", "aegis.conf"], check=True)
    subprocess.run([tmpfiles, f"--root={machine}", "--create", "aegis.conf"], check=True)
    rows = (line.split(":") for line in (machine / "etc" / "passwd").read_text("utf-8").splitlines())
    ids = {row[0]: int(row[2]) for row in rows}
    assert ids["aegis-envoy"] == 1337
    assert (machine / "run" / "aegis").stat().st_mode & 0o7777 == 0o1770
    key = (secrets / "issuer.pem").stat()
    assert (key.st_uid, key.st_mode & 0o777) == (ids["aegis-control"], 0o600)


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder with a short path, which sockets need."""
    with tempfile.TemporaryDirectory(prefix="vm-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.slow
def test_the_command_lines_lead_to_a_first_decision(root: Path) -> None:
    names = ("6390", "7400", "9100", "10000", "10001", "10002", "9001")
    ports = {name: str(port) for name, port in choose_ports(dict.fromkeys(names, 0), {}).items()}
    machine = Machine(root, ports, find_opa(), find_redis())
    machine.lay_out()
    token = machine.credentials("aegis-opa.service") / "opa.token"
    secrets = root / "var" / "lib" / "aegis" / "secrets"
    addresses = MeshAddresses(machine.words("127.0.0.1:6390"), machine.words("http://127.0.0.1:7400"), token)
    make_mesh_secrets(secrets, addresses, for_images=False)
    configuration = secrets / "opa" / "opa.json"
    configuration.write_text(machine.words(configuration.read_text("ascii")))
    shutil.copytree(ROOT / "deploy" / "compose" / "documents", root / "etc" / "aegis" / "documents")

    order = ("redis", "control", "opa", "authz@", "routes", "certificates", "envoy")
    log = root / "log"
    with ExitStack() as stack:
        for name in order:
            process = machine.start(UNITS / f"aegis-{name}.service", log)
            stack.callback(stop, process, 20)
        tokens = Tokens(issuer_key(secrets / "control"), "aegis", "aegis-mesh")
        with httpx.Client(proxy=machine.words("http://127.0.0.1:10000"), trust_env=False, timeout=20) as client:
            url = "http://api.stripe.example/v1/payments"
            reason, end = "STORE_RESET", time.monotonic() + 20  # for a moment, as Redis was just started
            while reason == "STORE_RESET" and time.monotonic() < end:
                headers = {"x-aegis-token": tokens.mint("finance-agent")}
                refused = client.post(url, json={"amount": 50000}, headers=headers)
                reason = refused.json()["reason"]
            passed = client.post(url, json={"amount": 4200}, headers={"x-aegis-token": tokens.mint("finance-agent")})
        assert (refused.status_code, reason) == (403, "POLICY_DENIED"), log.read_text("utf-8")
        # nobody stands where the example's tool is: Envoy says so, and not the mesh
        assert (passed.headers.get("x-aegis-decision"), passed.status_code) == ("allow", 503), log.read_text("utf-8")
