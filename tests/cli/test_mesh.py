"""`aegis up`, `down`, `status`, `logs` and `doctor` as far as they go without a running mesh."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.cli.app import app
from aegis_authz.cli.mesh_run import Progress
from aegis_authz.cli.mesh_text import EXAMPLE, _new_lines, endpoints, status_table
from aegis_authz.core.scope import Scope
from aegis_authz.lab.first_call import FirstCall
from aegis_authz.local.health import Health
from aegis_authz.local.mesh_facts import take_lock, write_facts
from aegis_authz.local.supervisor import ProcessState, Status
from tests.support.mesh_facts import made_facts, made_process

HEAVY = {"grpc", "redis", "pydantic", "httpx", "uvicorn", "starlette", "cryptography", "envoy_data_plane", "asyncio"}


def aegis(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A state folder whose lock is held, as by a supervisor."""
    lock = take_lock(tmp_path / "lock")
    yield tmp_path
    os.close(lock)


def test_help_is_quick_because_it_loads_no_part_of_the_mesh() -> None:
    program = (
        "import sys\nsys.argv = ['aegis', '--help']\nimport aegis_authz.cli\ntry:\n    aegis_authz.cli.main()\n"
        "finally:\n    print('|'.join(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0
    assert "doctor" in done.stdout
    assert HEAVY & set(done.stderr.strip().split("|")) == set()


def test_every_command_has_help() -> None:
    for command in ("up", "down", "status", "logs", "doctor"):
        result = aegis(command, "--help")
        assert result.exit_code == 0
        assert "--dir" in result.stdout


def test_down_of_nothing_says_so_and_is_no_error(tmp_path: Path) -> None:
    for _ in range(2):
        result = aegis("down", "--dir", str(tmp_path / "none"))
        assert (result.exit_code, result.stdout) == (0, f"no mesh runs in {tmp_path / 'none'}\n")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_without_a_mesh_a_command_says_how_to_start_one(tmp_path: Path, command: str) -> None:
    result = aegis(command, "--dir", str(tmp_path))
    assert result.exit_code == 2
    assert result.stderr == (
        f"aegis {command}: no mesh runs in {tmp_path}; start one with: aegis up --detach --dir {tmp_path}\n"
    )


@pytest.mark.parametrize("more", [[], ["--detach"]])
def test_a_second_mesh_in_a_folder_is_refused(held: Path, more: list[str]) -> None:
    result = aegis("up", "--dir", str(held), *more)
    assert result.exit_code == 1
    assert result.stderr == f"aegis up: a mesh already runs in {held}; stop it with: aegis down --dir {held}\n"


@pytest.mark.parametrize("more", [[], ["--detach"]])
def test_a_taken_port_is_named_and_nothing_is_made(tmp_path: Path, more: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = aegis("up", "--dir", str(tmp_path / "m"), "--control-port", str(port), *more)
    assert result.exit_code == 2
    assert result.stderr == f"aegis up: port {port} for control cannot be used: Address already in use\n"
    assert not (tmp_path / "m").exists()


def test_status_asks_the_processes_themselves(held: Path) -> None:
    facts = made_facts(held, authz=(), processes=(made_process("opa", restarts=2),))
    write_facts(held / "mesh.json", facts)
    result = aegis("status", "--dir", str(held), "--json")
    said = json.loads(result.stdout)
    assert result.exit_code == 1
    assert said["healthy"] is False
    assert said["processes"][0]["trouble"] == "does not answer: FileNotFoundError"
    shown = aegis("status", "--dir", str(held))
    assert shown.exit_code == 1
    assert "not ready" in shown.stdout


def test_the_status_table_has_a_line_for_each_process() -> None:
    healths = [
        Health("redis", "ready", 41, 0, 0.0, "unix:///r", ""),
        Health("opa", "waiting", None, 3, 0.0, "unix:///o", "was ended by SIGKILL"),
    ]
    head, redis, opa = status_table(healths).splitlines()
    assert head.split() == ["process", "state", "pid", "restarts", "for", "endpoint"]
    assert redis.split()[:4] == ["redis", "ready", "41", "0"]
    assert opa.split()[:4] == ["opa", "waiting", "-", "3"]
    assert opa.endswith("unix:///o  was ended by SIGKILL")


def test_logs_show_the_last_lines_of_those_named(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "opa.log").write_text("one\ntwo\nthree\n")
    (tmp_path / "logs" / "envoy.log").write_text("up\n")
    assert aegis("logs", "opa", "--dir", str(tmp_path), "-n", "2").stdout == "opa: two\nopa: three\n"
    assert aegis("logs", "--dir", str(tmp_path), "-n", "1").stdout == "envoy: up\nopa: three\n"
    wrong = aegis("logs", "oba", "--dir", str(tmp_path))
    assert wrong.exit_code == 2
    assert "no log of oba" in wrong.stderr
    assert "envoy, opa" in wrong.stderr


def test_logs_of_a_folder_without_any_are_an_error(tmp_path: Path) -> None:
    result = aegis("logs", "--dir", str(tmp_path))
    assert result.exit_code == 2
    assert "no log of any process" in result.stderr


def test_nothing_in_a_log_steers_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "access.log").write_bytes(b'{"path":"\x1b[2J\xff\xe2\x80\xae"}\n')
    assert aegis("logs", "--dir", str(tmp_path)).stdout == 'access: {"path":"?[2J\ufffd?"}\n'


def test_following_shows_whole_lines_once_and_starts_over_when_the_file_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "opa.log"
    path.write_bytes(b"old\n")
    path.write_bytes(b"old\nnew\nhal")
    assert list(_new_lines(path, 4)) == [("new", 8)]
    path.write_bytes(b"old\nnew\nhalf\n")
    assert list(_new_lines(path, 8)) == [("half", 13)]
    assert list(_new_lines(path, 13)) == []
    path.write_bytes(b"again\n")
    assert list(_new_lines(path, 13)) == [("again", 6)]


def test_progress_says_each_step_once() -> None:
    said: list[str] = []
    progress = Progress(said.append)

    def tell(state: ProcessState, pid: int | None, restarts: int, why: str) -> None:
        for _ in range(2):
            progress([Status("opa", state, pid, restarts, 0.0, why)])

    tell(ProcessState.STOPPED, None, 0, "")
    tell(ProcessState.STARTING, 7, 0, "")
    tell(ProcessState.READY, 7, 0, "")
    tell(ProcessState.WAITING, None, 1, "was ended by SIGKILL")
    tell(ProcessState.STARTING, 8, 1, "was ended by SIGKILL")
    tell(ProcessState.READY, 8, 1, "was ended by SIGKILL")
    tell(ProcessState.STOPPED, None, 1, "")
    assert [line.partition(" s  ")[2] for line in said] == [
        "opa is ready (pid 7)",
        "opa was ended by SIGKILL; it is started again",
        "opa is ready (pid 8)",
    ]


def test_the_call_to_try_is_ready_to_paste_also_with_odd_folders() -> None:
    text = endpoints(Path("/tmp/my mesh"), made_facts(Path("/tmp/my mesh"), proxy="http://p"), EXAMPLE, "")
    assert "--dir '/tmp/my mesh'" in text
    assert "curl -x http://p" in text


def test_the_call_to_try_can_be_pasted_into_a_shell_whatever_the_folder_is_called(tmp_path: Path) -> None:
    state = tmp_path / 'the "mesh\'s" $HOME'
    text = endpoints(state, made_facts(state, proxy="http://p"), EXAMPLE, "")
    call = text[text.index("  curl") : text.index("Prove it")]
    program = f"aegis() {{ printf '%s,' \"$@\"; }}; curl() {{ printf '%s\\n' \"$@\"; }}\n{call}"
    done = subprocess.run(["/bin/bash", "-c", program], capture_output=True, text=True, check=True)
    token = f"token,mint,--dir,{state},--org,acme,--tenant,emea,--agent,finance-agent,"
    assert done.stdout.splitlines() == [
        *("-x", "http://p", "-H", f"x-aegis-token: {token}", "-H", "content-type: application/json"),
        *("-d", '{"amount":50000}', "http://api.stripe.example/v1/payments"),
    ]
    assert done.stderr == ""


def test_the_call_to_try_is_one_that_the_served_documents_speak_of(tmp_path: Path) -> None:
    call = FirstCall(Scope("acme", "emea", "sales"), "GET", "http://crm.example/clients/1", None)
    text = endpoints(tmp_path, made_facts(tmp_path, proxy="http://p"), call, "")
    assert "--agent sales)" in text and text.splitlines()[-2] == "    -X GET http://crm.example/clients/1"
    assert "curl" not in endpoints(tmp_path, made_facts(tmp_path), None, "")


def test_a_link_to_sign_in_is_said_where_there_is_one(tmp_path: Path) -> None:
    facts, url = made_facts(tmp_path), "http://127.0.0.1:1/console/sign-in?person=owner&code=1"
    assert f"once within ten minutes:\n  {url}\n" in endpoints(tmp_path, facts, None, url)
    assert "ten minutes" not in endpoints(tmp_path, facts, None, "")


def test_doctor_without_a_mesh_tells_what_is_there() -> None:
    result = aegis("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)}
    assert findings["opa server"]["trouble"] == ""
    assert result.exit_code == (1 if any(finding["trouble"] for finding in findings.values()) else 0)


def test_doctor_takes_a_door_with_its_gateway_alone() -> None:
    result = aegis("doctor", "--door", "http://gateway:10002")
    assert (result.exit_code, "name it with --gateway" in result.stderr) == (2, True)


def test_doctor_says_what_is_missing_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AEGIS_OPA_BIN", str(tmp_path / "no-opa"))
    result = aegis("doctor")
    assert result.exit_code == 1
    assert "opa server" in result.stdout
    assert "make setup" in " ".join(result.stdout.split())  # a line may end between the two
