"""`aegis ready`: 0 for what is ready, 1 for what is not, 2 for words that are none; for images without shell and curl."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aegis_authz.demo.serving import serving
from aegis_authz.local.readiness import address_answers

BARE = ("-I", "-S")  # no package at all is there


SRC = Path(__file__).parents[2] / "src"


async def _well(_: Request) -> Response:
    return PlainTextResponse("ready")


async def _ill(_: Request) -> Response:
    return PlainTextResponse("waits for the bundle", 503)


APP = Starlette(routes=[Route("/readyz", _well), Route("/ill", _ill)])


def ask(*arguments: str) -> tuple[int, str]:
    program = f"import sys; sys.path.insert(0, {str(SRC)!r}); from aegis_authz.cli import main; main()"
    command = [sys.executable, *BARE, "-c", program, "ready", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


async def test_a_process_says_of_itself_whether_it_is_ready() -> None:
    async with serving(APP) as port:
        assert await address_answers(f"127.0.0.1:{port}", "/readyz")() == ""
        assert await address_answers(f"127.0.0.1:{port}", "/ill")() == "answers 503: waits for the bundle"


def test_who_does_not_answer_is_not_ready(tmp_path: Path) -> None:
    assert ask(f"unix:{tmp_path}/none.sock") == (1, "aegis ready: does not answer: FileNotFoundError\n")


async def test_who_waits_is_answered_when_it_has_become_ready() -> None:
    asked: list[str] = []

    async def answer(_: Request) -> Response:
        asked.append("")
        return PlainTextResponse("not yet" if len(asked) < 3 else "ready", 503 if len(asked) < 3 else 200)

    async with serving(Starlette(routes=[Route("/readyz", answer)])) as port:
        assert await asyncio.to_thread(ask, f"127.0.0.1:{port}", "--wait", "60") == (0, "")
    assert len(asked) == 3


def test_who_has_waited_long_enough_is_told_why(tmp_path: Path) -> None:
    code, said = ask(f"unix:{tmp_path}/none.sock", "--wait", "1")
    assert (code, said) == (1, "aegis ready: does not answer: FileNotFoundError\n")


def test_nobody_waits_for_a_process_that_has_ended(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, *BARE, "-c", ""]) as process:
        pass
    began = time.monotonic()
    code, sentence = ask(f"unix:{tmp_path}/none.sock", "--wait", "60", "--pid", str(process.pid))
    assert (code, time.monotonic() - began < 30) == (1, True)
    assert sentence == f"aegis ready: process {process.pid} has ended, and does not answer: FileNotFoundError\n"


async def test_who_waits_for_a_process_that_lives_is_answered_when_it_has_become_ready() -> None:
    statuses = iter((503, 503, 200))

    async def answer(_: Request) -> Response:
        return PlainTextResponse("", next(statuses))

    async with serving(Starlette(routes=[Route("/readyz", answer)])) as port:
        words = (f"127.0.0.1:{port}", "--wait", "60", "--pid", str(os.getpid()))
        assert await asyncio.to_thread(ask, *words) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "required: address"),
        (("control",), "'control' is neither unix:/path nor host:port"),
        (("control:0",), "nobody is reached at port 0"),
        (("unix:/a", "readyz"), "'readyz' is no path"),
        (("unix:/a", "/a b"), "'/a b' is no path"),
        (("unix:/a", "/a\r\nx: y"), "is no path"),
        (("unix:/a", "--wait=-1"), "is no whole number of seconds"),
        (("unix:/a", "--pid", "0"), "'0' is no process"),
        (("unix:/a", "--pid=-1"), "is no process"),
        (("unix:/a", "--pid"), "expected one argument"),
        (("unix:/a", "--wait", "601"), "'601' is no whole number of seconds up to 600"),
    ],
)
def test_words_that_are_none_are_said(arguments: tuple[str, ...], complaint: str) -> None:
    code, said = ask(*arguments)
    assert code == 2
    assert complaint in said
    assert "Traceback" not in said
