"""`aegis ready`: whether one process of a mesh is ready, for health checks of images that have neither shell nor curl.

Works without any extra and imports little: it is run every few seconds.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.core.address import UnixAddress, read_address

_ASK_EVERY = 0.2
_LONGEST_WAIT = 600


def ready(arguments: Sequence[str]) -> None:
    """Ask, and end with 0, or with 1 and a sentence on stderr; with 2 for words that are none.

    With `--wait` it is asked again until it is ready, for at most so many seconds: a unit of an init system has started
    when its process answers. With `--pid` no longer than that process lives: who waits for a dead one keeps its init
    system from starting another.
    """
    parser = argparse.ArgumentParser("aegis ready", description="Say whether a process of a mesh is ready.")
    parser.add_argument("address", type=_address, help="unix:/path or host:port, as in its settings.")
    parser.add_argument("path", nargs="?", default="/readyz", type=_path, help="What is asked for; default: /readyz.")
    parser.add_argument("--wait", type=_seconds, default=0, help="Seconds to ask again for, up to 600; default: 0.")
    parser.add_argument(
        "--pid", type=_process, help="Ask no longer than this process lives; default: for all of --wait."
    )
    options = parser.parse_args(arguments)
    import asyncio  # only here: the help of every command passes this file

    trouble = asyncio.run(_ask(options.address, options.path, options.wait, options.pid))
    if trouble:
        sys.stderr.write(f"aegis ready: {trouble}\n")
        raise SystemExit(REFUSED)


async def _ask(address: str, path: str, seconds: int, process: int | None) -> str:
    import asyncio

    from aegis_authz.local.readiness import address_answers

    look = address_answers(address, path)
    end = time.monotonic() + seconds
    while (trouble := await look()) and time.monotonic() < end:
        if process is not None and not _lives(process):
            return f"process {process} has ended, and {trouble}"
        await asyncio.sleep(_ASK_EVERY)  # another process, which tells nobody
    return trouble


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True


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


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _LONGEST_WAIT):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of seconds up to {_LONGEST_WAIT}")
    return int(text)


def _process(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"{text!r} is no process")
    return int(text)
