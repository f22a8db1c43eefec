"""The Prometheus of a mesh on one machine: what it scrapes, and how it is started."""

from __future__ import annotations

from pathlib import Path

import yaml

from aegis_authz.local.layout import Layout

_EVERY = "5s"
_KEPT_FOR, _KEPT_MOST = "15d", "1GB"
_NAMES_PEOPLE = "aegis_oversight_.*"
"""The control plane shows these to its own people alone, and Prometheus asks nobody who they are."""


def prometheus_text(layout: Layout, metrics: int, control: int, own: int, rules: Path) -> str:
    """prometheus.yml: each process of the mesh that has figures, on these loopback ports, and the rules of a folder.

    Redis, OPA and Envoy listen on unix sockets, where Prometheus cannot ask them.
    """
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": _EVERY, "scrape_timeout": _EVERY, "evaluation_interval": _EVERY},
            "rule_files": [str(rules / "*.yaml")],
            "scrape_configs": [
                {"job_name": "aegis-authz", **_target(metrics)},
                {
                    "job_name": "aegis-control",
                    "authorization": {"credentials_file": str(layout.keys / "admin.token")},
                    "metric_relabel_configs": [
                        {"source_labels": ["__name__"], "regex": _NAMES_PEOPLE, "action": "drop"}
                    ],
                    **_target(control),
                },
                {"job_name": "prometheus", **_target(own)},
            ],
        },
        sort_keys=False,
    )


def prometheus_command(program: Path, config: Path, data: Path, port: int) -> tuple[str, ...]:
    """How it is started: on a loopback port, its data kept through restarts."""
    return (
        str(program),
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--storage.tsdb.retention.time={_KEPT_FOR}",
        f"--storage.tsdb.retention.size={_KEPT_MOST}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    )


def _target(port: int) -> dict[str, object]:
    return {"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
