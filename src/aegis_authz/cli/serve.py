"""`aegis serve`: the processes of a mesh, one at a time. Works without any extra, as a worker's image does."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from aegis_authz import native
from aegis_authz.cli.exit_codes import UNABLE
from aegis_authz.telemetry.log_lines import FORMAT_VARIABLE, LogFormat, log_to_stderr

if TYPE_CHECKING:
    from pydantic import BaseModel

Settings = TypeVar("Settings", bound="BaseModel")
_log = logging.getLogger(__name__)
_EPILOG = "Envoy itself: aegis serve envoy --help"


def serve(arguments: Sequence[str]) -> None:
    """Run the process that the arguments name until it is told to stop.

    Ends with 2 and a sentence on stderr when the arguments or the settings cannot be used.
    """
    options = _parser().parse_args(arguments)
    name = f"authz-{options.worker}" if options.process == "authz" else options.process
    log_to_stderr(name, options.log_format)
    if options.process == "authz":
        _authz(options.config, options.worker)
    elif options.process == "routes":
        _routes(options.config)
    elif options.process == "certificates":
        _certificates(options.config)
    elif options.process == "injection":
        _injection(options.config)
    elif options.process == "echo":
        _echo(options.port, options.ready, options.host)
    else:
        _control(options.config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "aegis serve", description="Run one process of a mesh in the foreground.", epilog=_EPILOG
    )
    processes = parser.add_subparsers(dest="process", required=True)
    authz = processes.add_parser("authz", help="Serve ext_authz and ext_proc to Envoy.")
    authz.add_argument("--worker", type=_number, default=0, help="Number of this worker.")
    control = processes.add_parser("control", help="Serve the control plane: bundles, approvals, keys.")
    certificates = processes.add_parser("certificates", help="Serve Envoy the certificates of opened HTTPS.")
    injection = processes.add_parser("injection", help="Give pods their gateway: a webhook of Kubernetes.")
    routes = processes.add_parser("routes", help="Keep the configuration of the Envoy beside it.")
    echo = processes.add_parser("echo", help="Stand in for tools on this machine: answer with what arrives.")
    echo.add_argument("--port", type=int, action="append", required=True, help="A port; may be repeated.")
    echo.add_argument("--host", default="127.0.0.1", help="The address to listen on; default: loopback.")
    echo.add_argument("--ready", type=Path, required=True, help="A unix socket for GET /readyz.")
    for process in (authz, control, routes, certificates, injection, echo):
        process.add_argument(
            "--log-format",
            type=_log_format,
            default=os.environ.get(FORMAT_VARIABLE, LogFormat.TEXT.value),
            help=f"Write logs as text or json (docs/logs.md); default: {FORMAT_VARIABLE}, else text.",
        )
    for process in (authz, control, routes, certificates, injection):
        process.add_argument("--config", type=_file, required=True, help="The process's settings (YAML).")
    return parser


def _log_format(text: str) -> LogFormat:
    try:
        return LogFormat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not text or json") from None


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a worker")
    return int(text)


def _authz(config: Path, worker: int) -> None:
    _run_native()
    from aegis_authz.config.authz import AuthzSettings

    settings = _settings("authz", config, AuthzSettings)
    # prometheus_client looks at this once, when it is imported
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(settings.metrics_dir)
    settings.metrics_dir.mkdir(parents=True, exist_ok=True)
    from aegis_authz.bootstrap.worker import WorkerFault, serve_worker

    try:
        serve_worker(settings, worker)
    except WorkerFault as fault:
        raise _unable("authz", fault) from None


def _run_native() -> None:
    """Before anything on the path of a call is imported: run it compiled, where it is and as the environment says."""
    try:
        runs, trouble = native.use_as_environment_says()
    except native.NativeUnusable as fault:
        raise _unable("authz", fault) from None
    if trouble:
        _log.warning("%s", trouble)
    _log.info("decides %s", runs)


def _control(config: Path) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of its own parts before we say what is wrong
    from aegis_authz.bootstrap.control import run_control
    from aegis_authz.config.control import ControlSettings

    run_control(_settings("control", config, ControlSettings))


def _routes(config: Path) -> None:
    from aegis_authz.bootstrap.routes import RoutesFault, serve_routes
    from aegis_authz.config.routes import RoutesSettings

    try:
        serve_routes(_settings("routes", config, RoutesSettings))
    except RoutesFault as fault:
        raise _unable("routes", fault) from None


def _certificates(config: Path) -> None:
    from aegis_authz.bootstrap.certificates import CertificatesFault, serve_certificates
    from aegis_authz.config.certificates import CertificateSettings

    try:
        serve_certificates(_settings("certificates", config, CertificateSettings))
    except CertificatesFault as fault:
        raise _unable("certificates", fault) from None


def _injection(config: Path) -> None:
    from aegis_authz.bootstrap.injection import InjectionFault, serve_injection
    from aegis_authz.config.injection import InjectionSettings

    try:
        serve_injection(_settings("injection", config, InjectionSettings))
    except InjectionFault as fault:
        raise _unable("injection", fault) from None


def _echo(ports: Sequence[int], ready: Path, host: str) -> None:
    from aegis_authz.local.stand_in import serve_echo

    try:
        serve_echo(ports, ready, host)
    except OSError as fault:
        raise _unable("echo", fault) from None


def _settings(process: str, config: Path, kind: type[Settings]) -> Settings:
    from aegis_authz.bootstrap.settings import SettingsError, load_settings

    try:
        return load_settings(config, kind)
    except SettingsError as fault:
        raise _unable(process, fault) from None


def _unable(process: str, fault: Exception) -> SystemExit:
    sys.stderr.write(f"aegis serve {process}: {fault}\n")
    return SystemExit(UNABLE)
