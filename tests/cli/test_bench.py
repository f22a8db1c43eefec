"""`aegis bench` as far as it goes without a mesh and without vegeta."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.adapters.files.keys import open_keys
from aegis_authz.cli import bench_aim
from aegis_authz.cli.app import app
from aegis_authz.cli.bench_aim import BadBench, BenchAim, BenchLoad, Caller, aim_at
from aegis_authz.cli.bench_text import stages_json
from aegis_authz.commands.faults import Unable
from aegis_authz.load import fetch_vegeta
from aegis_authz.load.calls import Due
from aegis_authz.load.outcome import Outcome
from aegis_authz.load.stages import NothingRight, Stage, Wish
from aegis_authz.load.vegeta import Plan
from aegis_authz.local.mesh_facts import take_lock, write_facts
from tests.support.mesh_facts import made_facts

NOBODY = Caller("", "", "")
FINANCE = Caller("acme", "emea", "finance-agent")


def aegis(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bench", *arguments])


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Path]:
    """A state folder as a running mesh has it."""
    lock = take_lock(tmp_path / "lock")
    write_facts(
        tmp_path / "mesh.json", made_facts(tmp_path, proxy="http://127.0.0.1:18080", probe="http://127.0.0.1:18081")
    )
    open_keys(tmp_path / "keys")
    (tmp_path / "control.yaml").write_text(
        f"listen: 127.0.0.1:1\npublic_url: http://127.0.0.1:1\nstate: {tmp_path}\nkeys: {tmp_path}/keys\n"
        f"policies: {tmp_path}\ntools: {tmp_path}\nrecords: {tmp_path}\nredis: unix:///r\n"
    )
    yield tmp_path
    os.close(lock)


def aim(state: Path, url: str = "", caller: Caller = NOBODY, **others: object) -> BenchAim:
    options: dict[str, object] = {
        "url": url, "state": state, "host": "", "path": "", "method": "POST", "body": "", "caller": caller, "key": None,
        "issuer": "aegis", "audience": "aegis-mesh", "tokens": None, "expect": 200, "allow_remote": False,
    }  # fmt: skip
    return BenchAim(**(options | others))  # type: ignore[arg-type]


def token_file(folder: Path) -> Path:
    path = folder / "tokens.txt"
    path.write_text("a\nb\n")
    return path


def test_help_has_examples_and_says_how_it_ends() -> None:
    shown = aegis("--help")
    assert shown.exit_code == 0
    for text in ("aegis bench --dir .aegis", "--allow-remote", "Exits with 1", "--tokens"):
        assert text in shown.stdout


def test_without_a_call_the_doctors_is_made_and_one_in_twenty_is_due_a_denial(mesh: Path) -> None:
    bench_load = aim_at(aim(mesh))
    assert (bench_load.aim.base, bench_load.tool_port) == ("http://127.0.0.1:18080", 18081)
    assert [call.due for call in bench_load.aim.calls] == [Due(200)] * 19 + [Due(403, "POLICY_DENIED")]
    assert len(set(bench_load.aim.tokens.take(3))) == 3


def test_a_call_of_the_user_goes_through_the_same_proxy(mesh: Path) -> None:
    wanted = aim(mesh, caller=FINANCE, host="api.stripe.example", path="/v1/payments", body='{"amount":10}', expect=403)
    bench_load = aim_at(wanted)
    (call,) = bench_load.aim.calls
    assert (bench_load.aim.base, bench_load.tool_port) == ("http://127.0.0.1:18080", 0)
    assert (call.host, call.path, call.body, call.due) == (
        "api.stripe.example", "/v1/payments", b'{"amount":10}', Due(403),
    )  # fmt: skip


def test_the_path_and_the_query_of_the_url_are_called(tmp_path: Path) -> None:
    bench_load = aim_at(aim(tmp_path, "http://127.0.0.1:9/a/b?c=1", tokens=token_file(tmp_path)))
    assert bench_load.aim.base == "http://127.0.0.1:9"
    assert bench_load.aim.calls[0].path == "/a/b?c=1"
    assert bench_load.aim.calls[0].headers == {}


@pytest.mark.parametrize("url", ["http://localhost/", "http://127.0.0.2:1/", "https://[::1]:8/"])
def test_a_url_of_this_machine_needs_no_leave(tmp_path: Path, url: str) -> None:
    assert aim_at(aim(tmp_path, url, tokens=token_file(tmp_path))).aim.base == url.rstrip("/")


@pytest.mark.parametrize("url", ["http://example.com/", "http://10.0.0.1/", "http://localhost.example.com/"])
def test_another_machine_is_loaded_only_on_purpose(tmp_path: Path, url: str) -> None:
    wanted = aim(tmp_path, url, tokens=token_file(tmp_path))
    with pytest.raises(BadBench, match="--allow-remote"):
        aim_at(wanted)
    allowed = aim(tmp_path, url, tokens=token_file(tmp_path), allow_remote=True)
    assert aim_at(allowed).aim.base == f"http://{urlsplit(url).netloc}"


@pytest.mark.parametrize(
    "url", ["127.0.0.1:80", "ftp://127.0.0.1/", "http://", "http://[::1/", "http://a@127.0.0.1/", "http://127.0.0.1/#x"]
)
def test_what_is_no_url_of_a_server_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadBench, match="is no URL"):
        aim_at(aim(tmp_path, url, tokens=token_file(tmp_path)))


def test_who_calls_must_be_said_once(tmp_path: Path) -> None:
    here, tokens = "http://127.0.0.1:1/", token_file(tmp_path)
    for wanted in (aim(tmp_path, here), aim(tmp_path, here, Caller("acme", "", ""))):
        with pytest.raises(BadBench, match="say who calls"):
            aim_at(wanted)
    with pytest.raises(BadBench, match="already says who calls"):
        aim_at(aim(tmp_path, here, FINANCE, tokens=tokens))


def test_a_path_is_given_once_and_is_one(tmp_path: Path) -> None:
    tokens = token_file(tmp_path)
    with pytest.raises(BadBench, match="twice"):
        aim_at(aim(tmp_path, "http://127.0.0.1/x", path="/y", tokens=tokens))
    for path in ("y", "/y#z"):
        with pytest.raises(BadBench, match="is no path"):
            aim_at(aim(tmp_path, "http://127.0.0.1", path=path, tokens=tokens))


def test_a_key_of_the_user_signs_for_any_issuer(mesh: Path) -> None:
    key = mesh / "keys" / "issuer.pem"
    bench_load = aim_at(aim(mesh / "none", "http://127.0.0.1:1/", FINANCE, key=key, issuer="us", audience="them"))
    assert next(iter(bench_load.aim.tokens.take(1))).count(".") == 2


def test_without_a_mesh_there_is_no_key_to_sign_with(tmp_path: Path) -> None:
    for wanted in (aim(tmp_path), aim(tmp_path, "http://127.0.0.1:1/", FINANCE)):
        with pytest.raises(Unable, match="aegis up"):
            aim_at(wanted)


def test_the_pack_spending_is_loaded_with_its_own_calls(mesh: Path, tmp_path: Path) -> None:
    both = aegis("--dir", str(mesh), "--spending", "acme/emea", "--host", "x.example")
    assert both.exit_code == 2
    assert "leave out what names another" in both.stderr
    assert aegis("--dir", str(mesh), "--spending", "acme").exit_code == 2
    assert aegis("--dir", str(tmp_path / "none"), "--spending", "acme/emea").exit_code == 2


def test_bad_usage_ends_with_2_and_a_sentence(tmp_path: Path) -> None:
    result = aegis("--dir", str(tmp_path))
    assert result.exit_code == 2
    assert (
        result.stderr
        == f"aegis bench: no mesh runs in {tmp_path}; start one with: aegis up --detach --dir {tmp_path}\n"
    )


def test_without_vegeta_it_says_how_to_get_it(mesh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGIS_VEGETA", str(mesh / "none"))
    result = aegis("--dir", str(mesh))
    assert result.exit_code == 2
    assert "go install" in result.stderr


def outcome(right: int = 3, wrong: int = 0, failed: int = 0) -> Outcome:
    faults = {"HTTP 200 where 403 was due": wrong} if wrong else {}
    return Outcome(
        100, 1.0, right + wrong + failed + 1, right, {"OVERLOADED": 1}, wrong, failed, faults, (0.002,) * right
    )


def play(monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome) -> None:
    """From now on a load comes out like this."""

    async def load(vegeta: Path, bench_load: BenchLoad, wish: Wish, say: object) -> list[Stage]:
        stages = [Stage(Plan(seen.offered, wish.seconds, wish.connections), seen) for seen in outcomes]
        if not stages[0].outcome.right:
            raise NothingRight(stages[0])
        return stages

    monkeypatch.setattr(fetch_vegeta, "find_vegeta", lambda say: Path("vegeta"))
    monkeypatch.setattr(bench_aim, "load", load)


def test_refusals_under_load_are_shown_and_are_no_failure(mesh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, outcome())
    result = aegis("--dir", str(mesh))
    assert result.exit_code == 0
    assert "refused: 1 x OVERLOADED" in result.stdout
    assert "open" in result.stdout


@pytest.mark.parametrize("seen", [outcome(wrong=1), outcome(failed=1), outcome(right=0)])
def test_a_wrong_answer_a_missing_one_and_nothing_right_end_with_1(
    mesh: Path, monkeypatch: pytest.MonkeyPatch, seen: Outcome
) -> None:
    play(monkeypatch, seen)
    result = aegis("--dir", str(mesh), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["stages"][0]["wrong"] == seen.wrong


def test_json_has_milliseconds_and_null_where_nothing_was_right() -> None:
    stages = [Stage(Plan(100, 1, 4), outcome()), Stage(Plan(100, 1, 4), outcome(right=0))]
    told = json.loads(stages_json("http://h", stages))
    assert told["url"] == "http://h"
    assert [stage["p999_ms"] for stage in told["stages"]] == [2.0, None]
    assert told["stages"][0]["refused"] == {"OVERLOADED": 1}
