"""`aegis serve`: the processes of a mesh, one at a time."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

Settings = TypeVar("Settings", bound="BaseModel")

app = typer.Typer(help="Run one process of a mesh in the foreground.", no_args_is_help=True)

ConfigFile = Annotated[
    Path, typer.Option("--config", help="The process's settings (YAML).", exists=True, dir_okay=False)
]


@app.command()
def authz(
    config: ConfigFile,
    worker: Annotated[int, typer.Option("--worker", min=0, help="Number of this worker.")] = 0,
) -> None:
    """Serve ext_authz and ext_proc to Envoy."""
    from aegis_authz.config import AuthzSettings

    settings = _settings(config, AuthzSettings)
    # prometheus_client looks at this once, when it is imported
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(settings.metrics_dir)
    settings.metrics_dir.mkdir(parents=True, exist_ok=True)
    from aegis_authz.bootstrap.worker import WORKER_FAULTS
    from aegis_authz.bootstrap.worker_process import serve_worker

    _log_to_stderr()
    try:
        serve_worker(settings, worker)
    except WORKER_FAULTS as fault:
        raise _unable("authz", fault) from None


@app.command()
def control(config: ConfigFile) -> None:
    """Serve the control plane: bundles, approvals, keys."""
    from aegis_authz.bootstrap.control import run_control
    from aegis_authz.config import ControlSettings

    _log_to_stderr()
    run_control(_settings(config, ControlSettings))


def _settings(config: Path, kind: type[Settings]) -> Settings:
    from aegis_authz.bootstrap.settings import SettingsError, load_settings

    try:
        return load_settings(config, kind)
    except SettingsError as fault:
        raise _unable("", fault) from None


def _unable(command: str, fault: Exception) -> typer.Exit:
    typer.echo(f"aegis serve {command}: {fault}".replace(" :", ":"), err=True)
    return typer.Exit(2)


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
