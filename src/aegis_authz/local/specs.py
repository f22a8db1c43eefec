"""The processes of a mesh, in the order in which they start."""

from __future__ import annotations

import sys
from pathlib import Path

from aegis_authz.local.layout import Layout
from aegis_authz.local.process import ProcessSpec, Ready
from aegis_authz.local.readiness import http_answers, redis_answers
from aegis_authz.local.servers import find_envoy, find_opa, find_redis
from aegis_authz.local.settings import (
    MeshOptions,
    authz_settings,
    control_settings,
    opa_text,
    redis_text,
    write_settings,
)

_START_TIMEOUT = 30.0


def process_specs(layout: Layout, options: MeshOptions, envoy_config: Path) -> list[ProcessSpec]:
    """Write every settings file and say how each process is run. Raises ServerMissing, OSError."""
    workers = [_authz(layout, options, worker) for worker in range(options.workers)]
    return [
        _redis(layout),
        _control(layout, options),
        _opa(layout, options),
        *workers,
        _envoy(layout, options, envoy_config),
    ]


def _redis(layout: Layout) -> ProcessSpec:
    config = layout.folder("redis") / "redis.conf"
    config.write_text(redis_text(layout), "utf-8")
    arguments = (str(find_redis()), str(config))
    return _spec(layout, "redis", arguments, {}, ready=redis_answers(layout.socket("redis")))


def _control(layout: Layout, options: MeshOptions) -> ProcessSpec:
    config = write_settings(layout.state / "control.yaml", control_settings(layout, options))
    ready = http_answers(f"http://127.0.0.1:{options.ports['control']}/readyz", None)
    return _spec(layout, "control", _aegis("serve", "control", "--config", str(config)), {}, ready=ready)


def _opa(layout: Layout, options: MeshOptions) -> ProcessSpec:
    config = layout.folder("opa") / "opa.json"
    config.write_text(opa_text(layout, options, (layout.keys / "bundle.pub.pem").read_text("utf-8")), "utf-8")
    socket = layout.socket("opa")
    arguments = (
        str(find_opa()),
        "run",
        "--server",
        "--addr",
        f"unix://{socket}",
        "--config-file",
        str(config),
        "--disable-telemetry",
        "--log-level",
        "error",
    )
    # a larger heap target halves the garbage collector's share of a decision
    environment = {"GOGC": "400", "GOMAXPROCS": str(max(options.workers, 2))}
    return _spec(layout, "opa", arguments, environment, ready=http_answers("http://opa/health?bundles", socket))


def _authz(layout: Layout, options: MeshOptions, worker: int) -> ProcessSpec:
    config = write_settings(layout.state / "authz.yaml", authz_settings(layout, options))
    ready = http_answers("http://authz/readyz", layout.socket(f"ready-{worker}"))
    arguments = _aegis("serve", "authz", "--config", str(config), "--worker", str(worker))
    return _spec(layout, f"authz-{worker}", arguments, {}, ready=ready)


def _envoy(layout: Layout, options: MeshOptions, config: Path) -> ProcessSpec:
    arguments = (
        str(find_envoy()),
        "--config-path",
        str(config),
        "--concurrency",
        str(options.workers),
        "--use-dynamic-base-id",
        "--log-level",
        "warning",
    )
    return _spec(layout, "envoy", arguments, {}, ready=http_answers("http://envoy/ready", layout.socket("envoy")))


def _aegis(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "aegis_authz.cli", *arguments)


def _spec(layout: Layout, name: str, arguments: tuple[str, ...], environment: dict[str, str], ready: Ready) -> ProcessSpec:
    return ProcessSpec(name, arguments, environment, layout.log(name), ready, _START_TIMEOUT)
