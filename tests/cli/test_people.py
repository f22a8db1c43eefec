"""`aegis login`, `people` and `control changes`, asked of a control plane that runs as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from click.testing import Result
from cryptography import x509
from typer.testing import CliRunner

from aegis_authz.adapters.files.keys import open_keys
from aegis_authz.adapters.files.logins import FileLogins, Login
from aegis_authz.adapters.sql.change_log import SqlChangeLog
from aegis_authz.adapters.sql.database import Database
from aegis_authz.cli.app import app
from aegis_authz.commands.browser_login import browser_login
from aegis_authz.core.change_line import Act
from aegis_authz.core.units import Epoch
from aegis_authz.local.mesh_facts import write_facts
from tests.support.authority import Authority
from tests.support.control_settings import control_settings
from tests.support.mesh_facts import made_facts

PASSWORD = "correct horse battery"
Aegis = Callable[..., Result]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Plane:
    state: Path
    url: str


def _started(folder: Path) -> Iterator[Plane]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = control_settings(folder, listen=f"127.0.0.1:{port}", public_url=url)
    open_keys(settings.keys)
    for place in (settings.policies, settings.tools):
        place.mkdir()
    write_facts(folder / "mesh.json", made_facts(folder, control=url))
    config = folder / "control.yaml"
    config.write_text(json.dumps(settings.model_dump(mode="json")))
    command = [sys.executable, "-m", "aegis_authz.cli", "serve", "control", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        log = ""
        while "listens on" not in log:
            line = process.stderr.readline()
            assert line, log
            log += line
        try:
            yield Plane(folder, url)
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    yield from _started(tmp_path_factory.mktemp("mesh"))


@pytest.fixture
def aegis(plane: Plane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Aegis:
    """`aegis(command, ..., secrets=)` of a user with a home of their own, `--dir` of the mesh added."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AEGIS_API_KEY", raising=False)

    def run(*arguments: str, secrets: tuple[str, ...] = ()) -> Result:
        command = [*arguments, "--dir", str(plane.state)]
        return CliRunner().invoke(app, command, input="".join(f"{secret}\n" for secret in secrets))

    return run


def code_of(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return str(json.loads(result.stdout)["code"])


def test_the_first_owner_signs_up_with_the_code_of_the_first_start(plane: Plane, aegis: Aegis, tmp_path: Path) -> None:
    code = plane.state / "control" / "first-owner.code"
    assert code.stat().st_mode & 0o777 == 0o600
    refused = aegis("login", "ann", "--first", secrets=("short",))
    assert (refused.exit_code, "12 to 256 characters" in refused.stderr) == (1, True)
    signed = aegis("login", "ann", "--first", secrets=(PASSWORD,))
    assert (signed.exit_code, signed.stdout) == (0, f"signed in as ann at {plane.url}\n")
    assert aegis("whoami").stdout == "ann (ann): owner\n"
    assert aegis("login", "eve", "--first", secrets=(PASSWORD,)).exit_code == 1
    kept = tmp_path / "home" / "aegis" / "logins.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in kept.read_text()


def test_without_a_login_the_admin_token_acts_and_is_called_so(aegis: Aegis) -> None:
    assert aegis("whoami").stdout == "bootstrap-owner (Bootstrap owner): owner\n"


def test_a_person_is_added_signs_in_and_acts_under_their_name(aegis: Aegis, plane: Plane) -> None:
    added = aegis("people", "add", "bob", "--role", "policy_admin", "--role", "viewer@acme", "--group", "ops", "--json")
    signed = aegis("login", "bob", "--code", secrets=(code_of(added), PASSWORD))
    assert signed.exit_code == 0, signed.output
    made = aegis("agents", "invite", "acme/emea/bot", "--note", "first")
    assert made.exit_code == 0, made.output
    assert aegis("people", "list").exit_code == 1  # he may not see who else there is
    assert aegis("keys", "rotate", "issuer").exit_code == 1
    assert aegis("logout").stdout == "signed out\n"
    assert aegis("whoami").stdout.startswith("bootstrap-owner")
    again = aegis("login", "bob", secrets=("wrong password",))
    assert (again.exit_code, "nobody signs in so" in again.stderr) == (1, True)


def test_a_login_that_holds_no_api_key_is_forgotten_and_said_to_be_none(
    aegis: Aegis, plane: Plane, tmp_path: Path
) -> None:
    FileLogins(tmp_path / "home" / "aegis" / "logins.json").keep(plane.url, Login("bob", "no key", 2e9))
    result = aegis("logout")
    assert (result.exit_code, "is no API key" in result.stderr) == (2, True)
    assert aegis("logout").exit_code == 1


def test_roles_are_given_and_taken_and_a_person_is_disabled(aegis: Aegis) -> None:
    aegis("people", "add", "zoe", "--name", "Zoe Ray", "--role", "approver@acme/emea")
    given = aegis("people", "role", "zoe", "--add", "approver@acme", "--remove", "approver@acme/emea")
    assert given.stdout == "zoe  Zoe Ray  roles: approver@acme\n"
    assert aegis("people", "role", "zoe", "--remove", "owner").exit_code == 1
    assert aegis("people", "role", "zoe", "--add", "king").exit_code == 1
    assert aegis("people", "link", "zoe", "slack", "U1").stdout == "zoe is U1 in slack\n"
    assert aegis("people", "disable", "zoe", "--note", "left").stdout.endswith("disabled\n")
    assert aegis("people", "disable", "zoe", "--undo").stdout == "zoe  Zoe Ray  roles: approver@acme\n"
    assert aegis("people", "show", "nobody").exit_code == 1


def test_a_code_is_printed_once_and_replaces_those_before(aegis: Aegis) -> None:
    first = code_of(aegis("people", "add", "yan", "--role", "viewer", "--json"))
    second = code_of(aegis("people", "code", "yan", "--json"))
    assert aegis("login", "yan", "--code", secrets=(first, PASSWORD)).exit_code == 1
    assert aegis("login", "yan", "--code", secrets=(second, PASSWORD)).exit_code == 0


def test_a_link_signs_its_person_in_on_a_page_once(aegis: Aegis, plane: Plane) -> None:
    code_of(aegis("people", "add", "lin", "--role", "viewer@acme", "--json"))
    url = aegis("people", "sign-in-link", "lin", "--note", "first day").stdout.splitlines()[-1]
    assert url.startswith(f"{plane.url}/console/sign-in?person=lin&code=")
    form = dict(parse_qsl(urlsplit(url).query))
    with httpx.Client(base_url=plane.url, trust_env=False) as browser:
        assert "Sign in as lin" in browser.get(url).text
        assert browser.post("/console/sign-in", data=form).status_code == 303
        assert browser.get("/v1/session").json()["person"]["id"] == "lin"
        browser.cookies.clear()
        assert browser.post("/console/sign-in", data=form).status_code == 401
    assert aegis("people", "sign-in-link", "nobody").exit_code == 1


def test_an_api_key_of_the_environment_goes_first_and_a_wrong_one_is_nobody(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGIS_API_KEY", "aegis_0000000000000000_" + "0" * 64)
    refused = aegis("whoami")
    assert refused.exit_code == 1
    assert "0" * 64 not in refused.output


def test_a_login_that_is_over_is_not_made_up_for_by_the_admin_token(aegis: Aegis, tmp_path: Path) -> None:
    code = code_of(aegis("people", "add", "pat", "--role", "viewer", "--json"))
    assert aegis("login", "pat", "--code", secrets=(code, PASSWORD)).exit_code == 0
    kept = tmp_path / "home" / "aegis" / "logins.json"
    logins = json.loads(kept.read_text())
    for entry in logins.values():
        entry["expires_at"] = 1.0
    kept.write_text(json.dumps(logins))
    over = aegis("whoami")
    assert (over.exit_code, "the login of pat is over" in over.stderr) == (2, True)
    kept.chmod(0o644)
    assert "others can read it" in aegis("whoami").stderr


def test_the_change_log_is_shown_verified_and_an_altered_line_is_told(aegis: Aegis, plane: Plane) -> None:
    aegis("people", "add", "max", "--role", "viewer", "--note", "new here")
    asyncio.run(_old_line(plane, "\x1b[2Jclean"))
    shown = aegis("control", "changes")
    assert shown.exit_code == 0, shown.output
    assert "a:b  x  ?[2Jclean\n" in shown.stdout, "a line of before steers the terminal"
    assert "bootstrap-owner  people:add  max  viewer: new here" in shown.stdout
    assert "lines, none altered; the last hash is" in shown.stdout.splitlines()[-1]
    with closing(sqlite3.connect(plane.state / "control" / "control.db")) as raw:
        raw.execute("DROP TRIGGER change_log_no_UPDATE")
        raw.execute("UPDATE change_log SET person = 'eve' WHERE number = 2")
        raw.commit()
    broken = aegis("control", "changes")
    assert (broken.exit_code, broken.stdout) == (1, "")
    assert "line 2 of the change log is not the line that was written: somebody wrote to the database" in broken.stderr


def test_certificates_are_given_listed_and_taken(aegis: Aegis, tmp_path: Path) -> None:
    aegis("people", "add", "cat", "--role", "viewer")
    file = Authority(tmp_path).leaf("cat.pem", x509.RFC822Name("cat@acme.example"))
    added = aegis("people", "certificate", "add", "cat", "--file", str(file))
    assert added.exit_code == 0, added.output
    assert aegis("people", "certificate", "add", "cat", "--email", "cat@acme.example").exit_code == 0
    shown = aegis("people", "certificate", "list", "cat").stdout
    assert re.fullmatch("email cat@acme.example\nfingerprint [0-9a-f]{64}\n", shown)
    mine = shown.split()[-1]
    taken = aegis("people", "certificate", "remove", "cat", "--fingerprint", mine.upper())
    assert (taken.exit_code, aegis("people", "certificate", "list", "cat").stdout) == (0, "email cat@acme.example\n")
    assert aegis("people", "certificate", "remove", "cat", "--file", str(file)).exit_code == 1
    for options in ((), ("--uri", "a:b", "--email", "a@b"), ("--file", str(tmp_path / "away.pem"))):
        assert aegis("people", "certificate", "add", "cat", *options).exit_code == 2


def test_who_let_somebody_in_is_shown_and_an_owner_confirms(aegis: Aegis) -> None:
    aegis("people", "add", "dan", "--role", "viewer")
    assert aegis("people", "confirm", "dan", "--note", "met").stdout == "dan is confirmed\n"
    assert aegis("people", "confirm", "nobody").exit_code == 1


def test_a_command_signs_in_through_a_browser(aegis: Aegis, plane: Plane, tmp_path: Path) -> None:
    code = code_of(aegis("people", "add", "eva", "--role", "viewer", "--json"))
    assert aegis("login", "eva", "--code", secrets=(code, PASSWORD)).exit_code == 0
    (tmp_path / "home" / "aegis" / "logins.json").unlink()

    def browse(url: str) -> None:
        with httpx.Client(base_url=plane.url, headers={"origin": plane.url}) as user:
            user.post("/approvals/sign-in", data={"person": "eva", "password": PASSWORD})
            (seal,) = re.findall(r'name="seal" value="([0-9a-f]{64})"', user.get(url).text)
            (back,) = re.findall(r'content="0;url=([^"]+)"', user.post(url, data={"seal": seal}).text)
            assert httpx.get(back.split("?")[0], params={"code": "0" * 64, "state": "0" * 32}).status_code == 404
            assert "Signed in" in httpx.get(back.replace("&amp;", "&")).text

    browsers: list[threading.Thread] = []

    def show(url: str) -> None:
        browsers.append(threading.Thread(target=browse, args=(url,)))
        browsers[0].start()

    kept = browser_login(plane.url, 1, show)
    browsers[0].join()
    assert kept.person == "eva"
    assert aegis("whoami").stdout.startswith("eva (eva): viewer")


def test_a_person_or_a_browser_is_named_and_not_both(aegis: Aegis) -> None:
    for options in (("eva", "--browser"), (), ("--browser", "--first")):
        assert aegis("login", *options).exit_code == 2


async def _old_line(plane: Plane, reason: str) -> None:
    database = Database(f"sqlite:///{plane.state / 'control' / 'control.db'}")
    await SqlChangeLog(database).append(Act(Epoch(1.0), "ann", "a:b", "x", "*", reason))
    await database.close()


def test_a_control_plane_on_another_machine_gets_no_password_in_the_clear(aegis: Aegis) -> None:
    refused = aegis("login", "ann", "--url", "http://192.0.2.1:1", secrets=(PASSWORD,))
    assert (refused.exit_code, "--url is http:// to another machine" in refused.stderr) == (2, True)


def test_no_secret_is_taken_as_an_argument() -> None:
    for command in (("login", "--help"), ("people", "add", "--help")):
        shown = CliRunner().invoke(app, list(command), env={"COLUMNS": "200"}).output
        assert "--password" not in shown
    assert os.environ.get("AEGIS_PASSWORD") is None
