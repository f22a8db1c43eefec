"""Network namespaces of a test's own, and why there are none where there are none."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

PROGRAMS = {
    "nft": "nftables",
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
}
SEARCHED = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@cache
def missing() -> str:
    """What this machine lacks for namespaces with rules, "" for nothing."""
    if os.geteuid() != 0:
        return "needs root"
    packages = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program, path=SEARCHED)})
    if packages:
        return f"needs {' and '.join(packages)} (apt-get install {' '.join(packages)})"
    tried = in_namespace("nft", "add", "table", "inet", "aegis_trial")
    return "" if tried.returncode == 0 else f"needs network namespaces with nftables: {tried.stderr.strip()}"


def in_namespace(*command: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in a network namespace of its own, which is gone afterwards."""
    words = ["unshare", "--net", *command]
    environment = os.environ | {"PATH": SEARCHED}
    return subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, env=environment, check=False)
