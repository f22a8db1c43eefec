"""`python -m aegis_authz.local.install [--opa]`: gets the servers that are not on this machine yet.

Runs with a bare Python, standard library only. With `--opa` it gets OPA alone, which needs none of the
Python packages and may therefore be built while they are installed. Ends with 0 when everything is
there, 1 with a message when something cannot be had.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

from aegis_authz.local import pins, servers
from aegis_authz.local.fetch_opa import fetch_opa
from aegis_authz.local.servers import ServerMissing


def main(arguments: Sequence[str] | None = None) -> int:
    """Get what is missing; returns the exit status."""
    parser = argparse.ArgumentParser(prog="aegis_authz.local.install", description="Gets Envoy, OPA and Redis.")
    parser.add_argument("--opa", action="store_true", help="OPA alone; needs no Python package")
    only_opa = parser.parse_args(arguments).opa
    signal.signal(signal.SIGTERM, _end)
    try:
        _opa()
        if not only_opa:
            # Envoy comes with the Python packages: without them it is too early to judge what else is missing.
            servers.find_envoy()
            _redis()
            versions = servers.versions()
            _say("ready: " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    except (ServerMissing, OSError) as problem:
        _say(f"cannot go on: {problem}")
        return 1
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"[servers] {line}\n")
    sys.stderr.flush()


def _end(signum: int, frame: FrameType | None) -> None:
    # As Ctrl-C: the compiler is stopped and the temporary folder removed on the way out.
    raise KeyboardInterrupt


def _opa() -> None:
    try:
        servers.find_opa()
    except ServerMissing:
        if os.environ.get("AEGIS_OPA_BIN"):
            raise  # named by the operator: replacing it silently would run what they did not choose
        started = time.monotonic()
        path = fetch_opa(_say)
        _say(f"OPA {pins.OPA_VERSION} is at {path} after {time.monotonic() - started:.0f} s")


def _redis() -> None:
    """Install Debian's Redis when there is none and this is allowed; otherwise say what is missing."""
    try:
        servers.find_redis()
    except ServerMissing:
        apt = shutil.which("apt-get")
        if os.environ.get("AEGIS_REDIS_BIN") or apt is None or os.geteuid() != 0:
            raise
        _say(f"installing the Debian package {pins.REDIS_APT_PACKAGE}")
        _apt(apt, "update", "--quiet")
        _apt(apt, "install", "--quiet", "--yes", "--no-install-recommends", pins.REDIS_APT_PACKAGE)
        servers.find_redis()


def _apt(apt: str, *words: str) -> None:
    """Run apt-get, its words on standard error. RUNLEVEL keeps it from starting the service. Raises ServerMissing."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    result = subprocess.run([apt, *words], env=environment, stdout=2, check=False)
    if result.returncode != 0:
        raise ServerMissing(
            "redis-server",
            f"apt-get {words[0]} ended with {result.returncode}",
            "Install Redis, or set AEGIS_REDIS_BIN to a redis-server binary",
        )


if __name__ == "__main__":
    sys.exit(main())
