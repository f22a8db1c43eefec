"""The fixed decision library: the Rego files that every bundle carries."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType


@cache
def rego_library() -> Mapping[str, str]:
    """File name to text of the library, without its tests.

    From the installed package (`aegis_authz/_rego`), else from the checkout's top-level `rego/`.
    Raises FileNotFoundError when there is neither.
    """
    packaged = files("aegis_authz") / "_rego"
    folder: Traversable = packaged if packaged.is_dir() else Path(__file__).resolve().parents[4] / "rego"
    if not folder.is_dir():
        raise FileNotFoundError("the Rego library is neither in the package nor in the checkout")
    texts = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".rego") and not entry.name.endswith("_test.rego")
    }
    if not texts:
        raise FileNotFoundError(f"no Rego file in {folder}")
    return MappingProxyType(dict(sorted(texts.items())))
