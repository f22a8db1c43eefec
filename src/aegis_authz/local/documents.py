"""The example documents that come with Aegis."""

from __future__ import annotations

from pathlib import Path

_PACKAGED = Path(__file__).resolve().parents[1] / "_policies"
_CHECKOUT = Path(__file__).resolve().parents[3] / "policies"


def example_documents() -> Path:
    """The folder with `agents/` and `tools/`: in the package, or in the checkout it runs from."""
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
