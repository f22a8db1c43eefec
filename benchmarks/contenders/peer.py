"""The Go peer: opa-envoy-plugin, found and never fetched."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

SETTING: Final = "AEGIS_BENCH_OPA_ENVOY_PLUGIN"
_NAME: Final = "opa-envoy-plugin"
ENVIRONMENT: Final = {"GOGC": "800", "GOMAXPROCS": "2"}
"""As our own OPA; 100 and 400 cost it more, one thread as much."""

HOW_TO_GET: Final = f"""\
git clone https://github.com/open-policy-agent/{_NAME} && cd {_NAME}
go build -tags opa_no_oci -o {_NAME} ./cmd/{_NAME}
{SETTING}=$PWD/{_NAME} make bench"""


class PeerMissing(Exception):
    """The plugin is nowhere; the message is how to get it."""


def find_peer() -> Path:
    """The plugin's binary. Raises PeerMissing."""
    binary = os.environ.get(SETTING, "") or shutil.which(_NAME) or ""
    if not binary or not os.access(binary, os.X_OK):
        raise PeerMissing(f"{_NAME} is not on PATH, and {SETTING} names none. To have it:\n{HOW_TO_GET}")
    return Path(binary)


def command(
    binary: Path,
    folder: Path,
    data: Mapping[str, Any],
    address: str,
    others: tuple[int, int],
    rules: str = "peer.rego",
) -> list[str]:
    """Write what it needs into `folder`; returns the command.

    `address` is where it is asked, `host:port` or `unix://path`; `others` are two ports that it never uses; `rules`
    names its policy, a file beside this one.
    """
    (folder / "data.json").write_text(json.dumps(data), "utf-8")
    plugin = {"addr": address, "path": "envoy/authz/allow"}
    config = folder / "peer.yaml"
    config.write_text(yaml.safe_dump({"plugins": {"envoy_ext_authz_grpc": plugin}}), "utf-8")
    addresses = ["--addr", f"127.0.0.1:{others[0]}", "--diagnostic-addr", f"127.0.0.1:{others[1]}"]
    quiet = ["--log-level", "error", "--skip-version-check"]
    documents = [str(folder / "data.json"), str(Path(__file__).with_name(rules))]
    return [str(binary), "run", "--server", *addresses, "--config-file", str(config), *quiet, *documents]
