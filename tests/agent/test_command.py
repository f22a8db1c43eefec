from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from aegis_authz.agent.command import command_environment, run_command

URL = "http://127.0.0.1:7070"


def test_all_ways_out_lead_to_the_signer() -> None:
    before = {"PATH": "/bin", "NO_PROXY": "*", "no_proxy": "tool.example", "ALL_PROXY": "socks5://elsewhere"}
    environment = command_environment(before, URL, ["llm.example", "10.0.0.0/8"], Path("/ca.pem"))
    assert {environment[name] for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")} == {URL}
    assert environment["NO_PROXY"] == environment["no_proxy"] == "llm.example,10.0.0.0/8"
    assert environment["NODE_EXTRA_CA_CERTS"] == environment["SSL_CERT_FILE"] == "/ca.pem"
    assert (environment["PATH"], environment["AEGIS_BASE_URL"]) == ("/bin", URL)
    assert "ALL_PROXY" not in environment


def test_a_bypass_that_was_inherited_does_not_count_and_authorities_stay_as_they_were() -> None:
    environment = command_environment({"NO_PROXY": "*", "SSL_CERT_FILE": "/own.pem"}, URL, [], None)
    assert (environment["NO_PROXY"], environment["SSL_CERT_FILE"]) == ("", "/own.pem")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("true",), 0),
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -TERM $$"), 128 + signal.SIGTERM),
        (("no-such-command-anywhere",), 127),
        (("/etc/passwd",), 126),
    ],
)
async def test_it_ends_as_the_command_does(words: tuple[str, ...], code: int) -> None:
    assert await run_command(words, os.environ) == code


async def test_a_signal_reaches_the_command(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    script = f"trap 'exit 9' TERM; echo up > {ready}; while :; do read -r _ < {ready}; done"
    running = asyncio.create_task(run_command(("sh", "-c", script), os.environ))
    await asyncio.to_thread(ready.read_text)
    os.kill(os.getpid(), signal.SIGTERM)
    try:
        await asyncio.wait_for(asyncio.shield(running), 0.5)
    except TimeoutError:
        with ready.open("w") as pipe:  # the shell hears of signals between its commands
            pipe.write("\n")
    assert await asyncio.wait_for(running, 10) == 9


async def test_a_signal_that_comes_while_the_command_starts_reaches_it() -> None:
    running = asyncio.create_task(run_command(("sleep", "600"), os.environ))
    await asyncio.sleep(0)  # it has begun to start the command
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, 10) == 128 + signal.SIGTERM


async def test_a_command_does_not_outlive_its_signer(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    os.mkfifo(note)
    running = asyncio.create_task(run_command(("sh", "-c", f"echo $$ > {note}; exec sleep 600"), os.environ))
    pid = int(await asyncio.to_thread(note.read_text))
    running.cancel()
    await asyncio.wait([running])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
