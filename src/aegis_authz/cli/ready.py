"""`aegis ready`: whether one process of a mesh is ready, for health checks of images that have neither shell nor curl.

Works without any extra and imports little: it is run every few seconds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.core.address import UnixAddress, read_address


def ready(arguments: Sequence[str]) -> None:
    """Ask, and end with 0, or with 1 and a sentence on stderr; with 2 for words that are none."""
    parser = argparse.ArgumentParser("aegis ready", description="Say whether a process of a mesh is ready.")
    parser.add_argument("address", type=_address, help="unix:/path or host:port, as in its settings.")
    parser.add_argument("path", nargs="?", default="/readyz", type=_path, help="What is asked for; default: /readyz.")
    options = parser.parse_args(arguments)
    import asyncio  # only here: the help of every command passes this file

    trouble = asyncio.run(_ask(options.address, options.path))
    if trouble:
        sys.stderr.write(f"aegis ready: {trouble}\n")
        raise SystemExit(REFUSED)


async def _ask(address: str, path: str) -> str:
    from aegis_authz.local.readiness import address_answers

    return await address_answers(address, path)()


def _address(text: str) -> str:
    try:
        place = read_address(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None
    if not isinstance(place, UnixAddress) and place.port == 0:
        raise argparse.ArgumentTypeError("nobody is reached at port 0")
    return text


def _path(text: str) -> str:
    if not text.startswith("/") or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no path")
    return text
