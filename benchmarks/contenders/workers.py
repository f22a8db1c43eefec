"""Workers of Aegis beside that of a mesh: on its OPA and Redis, with settings, records and metrics of their own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from aegis_authz.config.authz import AuthzSettings
from aegis_authz.local.tcp_ports import choose_ports
from aegis_authz.native import VARIABLE, Mode
from benchmarks.contenders.missing_part import EQUAL

_PRODUCT = "aegis_authz.cli"
_MISSING_PART = "benchmarks.contenders.missing_part"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a worker differs from one as delivered: in settings, in a part that is missing ("": none), in its modules."""

    settings: Mapping[str, Any]
    part: str
    modules: Mode

    def write_settings(self, state: Path, folder: Path) -> Path:
        """Write its settings into `folder`, after those of the mesh of this state folder. Raises OSError."""
        settings = yaml.safe_load((state / "authz.yaml").read_text("utf-8")) | {
            "listen": address_in(folder),
            "records": str(folder / "records"),
            "metrics": f"127.0.0.1:{choose_ports({'metrics': 0}, {})['metrics']}",
            "metrics_dir": str(folder / "metrics"),
            "ready_socket": f"{folder}/ready.sock",
            **self.settings,
        }
        config = folder / "authz.yaml"
        config.write_text(yaml.safe_dump(settings), "utf-8")
        return config

    def command(self, config: Path) -> tuple[str, ...]:
        """What runs it."""
        if self.part:
            return (sys.executable, "-m", _MISSING_PART, self.part, str(config))
        return (sys.executable, "-m", _PRODUCT, "serve", "authz", "--config", str(config))

    @property
    def environment(self) -> dict[str, str]:
        """What its process finds in its environment beside what is there."""
        return {VARIABLE: self.modules.value, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def address_in(folder: Path) -> str:
    """Where a worker with this folder listens."""
    return f"unix:{folder}/authz.sock"


_HOST = AuthzSettings.model_fields["host"].default.value
AS_DELIVERED = Kind(MappingProxyType({"host": _HOST}), "", Mode.OFF)
"""Everything on, by the sources."""
AS_COMPILED = Kind(AS_DELIVERED.settings, "", Mode.REQUIRED)
EQUAL_WORK = Kind(MappingProxyType({**AS_DELIVERED.settings, "otlp_endpoint": ""}), EQUAL, Mode.OFF)
"""What the Go peer does, and no more: see `missing_part`."""
EQUAL_WORK_COMPILED = Kind(EQUAL_WORK.settings, EQUAL, Mode.REQUIRED)


def with_host(host: str) -> Kind:
    """Everything on, in this host."""
    return Kind({"host": host}, "", Mode.OFF)


def without(part: str) -> Kind:
    """Everything on but one part of `PARTS`. A span is left out by its settings."""
    return Kind({**AS_DELIVERED.settings, **({"otlp_endpoint": ""} if part == "span" else {})}, part, Mode.OFF)
