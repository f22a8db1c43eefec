"""`aegis demo --stay`, from outside: it plays, prints a link that signs in once, waits, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]
_PATIENCE = 600


async def test_a_demo_that_stays_has_calls_that_wait_for_whoever_opens_its_link() -> None:
    words = (sys.executable, "-m", "aegis_authz.cli", "demo", "--stay")
    demo = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    assert demo.stdout is not None
    text = ""
    try:
        async with asyncio.timeout(_PATIENCE):
            while "Ctrl-C ends it." not in text:
                line = await demo.stdout.readline()
                assert line, text
                text += line.decode()
        first, last = re.findall(r"^http://\S+/console/sign-in\?\S+$", text, re.MULTILINE)
        parts = urlsplit(last)
        async with httpx.AsyncClient(base_url=f"http://{parts.netloc}", trust_env=False, timeout=60) as browser:
            answer = await browser.post(parts.path, data=dict(parse_qsl(parts.query)))
            assert answer.status_code == 303
            page = (await browser.get("/approvals")).text
            assert page.count('<a href="/approvals/apr_') >= 3
            # the first made nobody an owner, and makes nobody any more
            assert (await browser.post(parts.path, data=dict(parse_qsl(urlsplit(first).query)))).status_code == 401
        state = Path(re.findall(r"--dir (\S+)", text)[-1])
        assert (state / "mesh.json").exists()
        demo.send_signal(signal.SIGINT)
        async with asyncio.timeout(_PATIENCE):
            assert await demo.wait() == 0
        assert not state.exists()
    finally:
        if demo.returncode is None:
            demo.send_signal(signal.SIGTERM)
            await demo.wait()
