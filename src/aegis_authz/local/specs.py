"""The processes of a mesh, in the order in which they start."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from aegis_authz.local.documents import prometheus_rules
from aegis_authz.local.envoy_start import envoy_command
from aegis_authz.local.layout import Layout
from aegis_authz.local.process import ProcessSpec
from aegis_authz.local.prometheus import prometheus_command, prometheus_text
from aegis_authz.local.readiness import mesh_checks
from aegis_authz.local.servers import find_envoy, find_opa, find_prometheus, find_redis
from aegis_authz.local.settings import (
    MeshOptions,
    authz_settings,
    certificate_settings,
    control_settings,
    opa_text,
    redis_text,
    write_settings,
)
from aegis_authz.local.supervisor import Stage

_START_TIMEOUT = 90.0


def process_stages(layout: Layout, options: MeshOptions, envoy_config: Path, echo: Sequence[int] = ()) -> list[Stage]:
    """Write every settings file and say how each process is run.

    Redis, the control plane, OPA, the authorizers and the service of certificates side by side, a stand-in for tools on
    the ports `echo`, Envoy; with `observability` a Prometheus before them.

    Raises ServerMissing, OSError.
    """
    checks = mesh_checks(
        layout.run, layout.xds, options.ports["control"], options.workers, options.ports.get("prometheus", 0)
    )

    def spec(name: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> ProcessSpec:
        return ProcessSpec(name, arguments, environment, layout.log(name), checks[name], _START_TIMEOUT)

    authz = write_settings(layout.state / "authz.yaml", authz_settings(layout, options))
    serve_authz = ("serve", "authz", "--config", str(authz))
    workers = range(options.workers)
    # a larger heap target halves the share of the garbage collector, and a second thread mostly waits for the first;
    # the limit is soft: near it the collector runs more often (10,000 policies that share nothing: 390 MiB, not 994)
    opa_environment = {"GOGC": "800", "GOMEMLIMIT": "384MiB", "GOMAXPROCS": str((options.workers + 1) // 2)}
    return [
        [spec("redis", _redis(layout), {})],
        [spec("control", _control(layout, options), {})],
        [spec("opa", _opa(layout, options), opa_environment)],
        [
            *(spec(f"authz-{n}", _aegis(*serve_authz, "--worker", str(n)), {}) for n in workers),
            *([spec("certificates", _certificates(layout), {})] if options.https else []),
        ],
        *([[spec("prometheus", _prometheus(layout, options), {})]] if options.observability else []),
        *([[spec("echo", _echo(layout, echo), {})]] if echo else []),
        [spec("envoy", _envoy(options, envoy_config), {})],
    ]


def _redis(layout: Layout) -> tuple[str, ...]:
    config = layout.folder("redis") / "redis.conf"
    config.write_text(redis_text(layout), "utf-8")
    return str(find_redis()), str(config)


def _control(layout: Layout, options: MeshOptions) -> tuple[str, ...]:
    config = write_settings(layout.state / "control.yaml", control_settings(layout, options))
    return _aegis("serve", "control", "--config", str(config))


def _opa(layout: Layout, options: MeshOptions) -> tuple[str, ...]:
    config = layout.folder("opa") / "opa.json"
    config.write_text(opa_text(layout, options, (layout.keys / "root.pub.pem").read_text("utf-8")), "utf-8")
    return (
        str(find_opa()),
        "run",
        "--server",
        "--addr",
        f"unix://{layout.socket('opa')}",
        "--unix-socket-perm",
        "700",
        "--config-file",
        str(config),
        "--skip-version-check",
        "--shutdown-grace-period",
        "2",
        "--log-level",
        "error",
    )


def _certificates(layout: Layout) -> tuple[str, ...]:
    config = write_settings(layout.state / "certificates.yaml", certificate_settings(layout))
    return _aegis("serve", "certificates", "--config", str(config))


def _prometheus(layout: Layout, options: MeshOptions) -> tuple[str, ...]:
    program, ports = find_prometheus(), options.ports
    folder = layout.folder("prometheus")
    config = folder / "prometheus.yml"
    text = prometheus_text(layout, ports["metrics"], ports["control"], ports["prometheus"], prometheus_rules())
    config.write_text(text, "utf-8")
    return prometheus_command(program, config, folder / "data", ports["prometheus"])


def _echo(layout: Layout, ports: Sequence[int]) -> tuple[str, ...]:
    numbers = [word for port in ports for word in ("--port", str(port))]
    return _aegis("serve", "echo", "--ready", str(layout.socket("echo")), *numbers)


def _envoy(options: MeshOptions, config: Path) -> tuple[str, ...]:
    return envoy_command(find_envoy(), config, options.workers)


def _aegis(*arguments: str) -> tuple[str, ...]:
    # -P: a file in the folder the mesh is started from must not stand in for a module
    return (sys.executable, "-P", "-m", "aegis_authz.cli", *arguments)
