"""`aegis serve envoy`: Envoy in the foreground. Needs no package at all: the image of Envoy has none."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from aegis_authz.cli.exit_codes import UNABLE
from aegis_authz.local.envoy_start import EnvoyNotStarted, become_envoy
from aegis_authz.local.servers import ServerMissing


def serve_envoy(arguments: Sequence[str]) -> None:
    """Become Envoy. Ends with 2 and a sentence on stderr when there is no Envoy to become."""
    parser = argparse.ArgumentParser(
        "aegis serve envoy", description="Become Envoy, once its configuration is there; AEGIS_ENVOY_BIN names another."
    )
    parser.add_argument("--config-path", type=Path, required=True, help="What Envoy is started with.")
    parser.add_argument("--concurrency", type=_count, default=2, help="Threads that carry calls; default: 2.")
    parser.add_argument("--wait", type=_count, default=120, help="Seconds to wait for the file; default: 120.")
    options = parser.parse_args(arguments)
    try:
        become_envoy(options.config_path, options.concurrency, options.wait, _say)
    except (EnvoyNotStarted, ServerMissing, OSError) as fault:
        _say(str(fault))
        raise SystemExit(UNABLE) from None


def _say(sentence: str) -> None:
    sys.stderr.write(f"aegis serve envoy: {sentence}\n")
    sys.stderr.flush()


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)
