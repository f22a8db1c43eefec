"""A real browser on the console: who is signed in, what it complained of, pictures, and what axe-core finds."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from aegis_authz.demo.mesh import DemoMesh

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images" / "console"
MOST_BYTES = 300_000
"""Of a page with all that it loads."""
HOSTILE = (
    "<script>window.pwned = 1</script>",
    "</pre><script>window.pwned = 1</script><pre>",
    '"><img src=x onerror="window.pwned = 1">',
    "'-alert(1)-'",
    "<svg onload='window.pwned = 1'>",
    "javascript:window.pwned=1",
    "{{ 7 * 7 }}{% include 'frame.html' %}",
    "\u202egnp.exe <b>bold</b> &lt;i&gt;",
    "</textarea></form><form action=https://evil.example><button>Approve</button>",
    '" hx-get="/approvals" hx-trigger="load" sse-connect="/x',
    "</td></tr></table><base href=https://evil.example>",
    "\ndata: x\n\nevent: approvals\ndata: <b>y</b>",
)
"""Texts that a page must show as they are."""
_MOST_PIXELS = 1_400
"""Height of a picture: what is below is more of the same."""
_AXE, _AXE_SHA256 = "axe-core@4.14.1", "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
_SERIOUS = ("serious", "critical")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The machine's own browser. Skips the test where there is none."""
    if CHROMIUM is None:
        pytest.skip("NO BROWSER: apt-get install chromium runs this")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Visit:
    """Somebody's browser, and what it complained of."""

    context: BrowserContext
    complaints: list[str] = field(default_factory=list)

    async def page(self) -> Page:
        """A new tab."""
        page = await self.context.new_page()
        page.on("console", self._listen)
        page.on("pageerror", lambda fault: self.complaints.append(str(fault)))
        return page

    def _listen(self, message: ConsoleMessage) -> None:
        # of a page that refuses, a browser says its status here as well
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


@asynccontextmanager
async def visit(browser: Browser, control: str, cookies: Any = (), **options: Any) -> AsyncIterator[Visit]:
    """A visit to that control plane with these cookies. `options` are those of a context of Playwright."""
    context = await browser.new_context(base_url=control, **options)
    await context.add_cookies(list(cookies))
    context.set_default_timeout(60_000)  # a machine of the CI is slow
    try:
        yield Visit(context)
    finally:
        await context.close()


async def sign_in_link(mesh: DemoMesh, name: str) -> str:
    """What `aegis up` prints for the owner, for anybody."""
    words = ("people", "sign-in-link", name, "--dir", str(mesh.state))
    return (await mesh.aegis(*words)).splitlines()[-1]


async def sign_in_by_link(mesh: DemoMesh, page: Page, name: str) -> None:
    """Open a fresh link of that person, and use it up."""
    await page.goto(await sign_in_link(mesh, name))
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text(f"Signed in as {name}")).to_be_visible()


async def picture(page: Page, name: str, folder: Path) -> Path:
    """A picture of the page: into that folder, or where pages of docs are written and docs/console.md shows it, there."""
    is_shown = f"(images/console/{name}.png)" in (PICTURES.parents[1] / "console.md").read_text("utf-8")
    target = PICTURES if os.environ.get("AEGIS_WRITE_DOCS") and is_shown else folder
    target.mkdir(parents=True, exist_ok=True)
    path = target / f"{name}.png"
    width, height = await page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, _MOST_PIXELS)}
    await page.screenshot(path=path, full_page=True, animations="disabled", clip=clip)
    return path


async def weight(page: Page) -> int:
    """Bytes of the page with all that it has loaded."""
    entries: list[int] = await page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".map((entry) => entry.decodedBodySize)"
    )
    return sum(entries)


async def marks(page: Page) -> Mapping[str, int]:
    """How many elements a page has by which a text that became markup would show itself."""
    counts: dict[str, int] = await page.evaluate(
        "Object.fromEntries(['script:not([src^=\"/console/assets/\"])', 'img', 'iframe', 'base', 'b b', 'td b',"
        " 'a[href^=\"javascript:\"]', 'svg[onload]', '[onerror]', 'form[action^=\"https:\"]', 'td [hx-get]']"
        ".map((mark) => [mark, document.querySelectorAll(mark).length]))"
    )
    return {mark: count for mark, count in counts.items() if count}


async def problems(page: Page, axe: str) -> list[str]:
    """What axe-core finds that is serious, each with where it is."""
    await page.evaluate(axe)
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{entry['id']}: {entry['help']}: {[node['target'] for node in entry['nodes']][:3]}"
        for entry in found["violations"]
        if entry["impact"] in _SERIOUS
    ]


def axe_core() -> str:
    """The source of axe-core, from npm, verified. Skips the test where it cannot be had."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "aegis-tests"
    path = cache / f"{_AXE}.min.js"
    if not path.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("NO NPM: axe-core looks at no page")
        cache.mkdir(parents=True, exist_ok=True)
        answer = subprocess.run(
            [npm, "pack", _AXE, "--silent"], cwd=cache, capture_output=True, text=True, check=False, timeout=300
        )
        if answer.returncode != 0:
            pytest.skip(f"NO AXE-CORE: npm pack says {answer.stderr.strip()[-200:]}")
        with tarfile.open(cache / answer.stdout.split()[-1]) as package:
            member = package.extractfile("package/axe.min.js")
            assert member is not None
            path.write_bytes(member.read())
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == _AXE_SHA256, f"{path} is another file; delete it"
    return content.decode("utf-8")
