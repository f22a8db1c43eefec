"""What pages are drawn with: the stylesheet, scripts and the icon, each at an address that changes with its content."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from starlette.responses import Response

from aegis_authz.control.http import HttpProblem

FOLDER = "/console/assets"
"""Where assets are served."""
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_CHECKSUMS = "checksums.txt"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is served: its media type, and its SHA-256 in hex."""

    content: bytes
    media_type: str
    digest: str


@cache
def assets() -> dict[str, Asset]:
    """All assets by name, read once."""
    by_name: dict[str, Asset] = {}
    for file in files("aegis_authz.control").joinpath("pages", "assets").iterdir():
        media_type = next((kind for ending, kind in _TYPES.items() if file.name.endswith(ending)), "")
        if media_type:
            content = file.read_bytes()
            by_name[file.name] = Asset(content, media_type, sha256(content).hexdigest())
    return by_name


def checksums() -> dict[str, str]:
    """The SHA-256 in hex of each asset that is others' work, as it was when it was taken in."""
    text = files("aegis_authz.control").joinpath("pages", "assets", _CHECKSUMS).read_text("ascii")
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: digest for digest, name in lines}


def asset_url(name: str) -> str:
    """Where the asset is, with what changes when it changes. Raises KeyError for none of that name."""
    return f"{FOLDER}/{name}?v={assets()[name].digest[:12]}"


def asset_response(name: str, version: str) -> Response:
    """The asset, to be kept for good where it was asked for as the version it is. Raises HttpProblem."""
    asset = assets().get(name)
    if asset is None:
        raise HttpProblem(404, "there is no such asset")
    is_exact = version == asset.digest[:12]
    keeping = "public, max-age=31536000, immutable" if is_exact else "no-cache"
    return Response(asset.content, 200, {"cache-control": keeping}, asset.media_type)
