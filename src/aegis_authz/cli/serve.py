"""`aegis serve`: the processes of a mesh, one at a time."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Run one process of a mesh in the foreground.", no_args_is_help=True)

ConfigFile = Annotated[Path, typer.Option("--config", help="The process's settings (YAML).", exists=True, dir_okay=False)]


@app.command()
def authz(
    config: ConfigFile,
    worker: Annotated[int, typer.Option("--worker", min=0, help="Number of this worker.")] = 0,
) -> None:
    """Serve ext_authz and ext_proc to Envoy."""
    from aegis_authz.bootstrap.settings import load_settings
    from aegis_authz.config import AuthzSettings

    settings = load_settings(config, AuthzSettings)
    # prometheus_client looks at this once, when it is imported
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(settings.metrics_dir)
    settings.metrics_dir.mkdir(parents=True, exist_ok=True)
    import uvloop

    from aegis_authz.bootstrap.worker import run_worker

    _log_to_stderr()
    uvloop.run(run_worker(settings, worker))


@app.command()
def control(config: ConfigFile) -> None:
    """Serve the control plane: bundles, approvals, keys."""
    from aegis_authz.bootstrap.control import run_control
    from aegis_authz.bootstrap.settings import load_settings
    from aegis_authz.config import ControlSettings

    _log_to_stderr()
    run_control(load_settings(config, ControlSettings))


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
