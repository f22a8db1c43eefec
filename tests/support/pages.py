"""Pages as a browser's reader has them."""

from __future__ import annotations

import html
import re
from pathlib import Path

import httpx
import pytest


def text_of(answer: httpx.Response) -> str:
    """What a reader sees of a page: its text in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


def sealed(answer: httpx.Response, action: str) -> str:
    """The seal of the form that goes there."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', answer.text, re.DOTALL)
    assert form is not None
    seal = re.search(r'name="seal" value="([0-9a-f]+)"', form.group())
    assert seal is not None
    return seal.group(1)


def without_opa(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have no OPA on this machine, as in the image of the control plane."""
    monkeypatch.delenv("AEGIS_OPA_BIN", raising=False)
    for name in ("XDG_CACHE_HOME", "PATH"):
        monkeypatch.setenv(name, str(folder / "nothing"))
