"""Where everything of a mesh lies: its state folder, and a short folder for unix sockets."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

_LONGEST_SOCKET = 100  # sun_path holds 108 bytes; the rest is for the socket's name
_PREFIX = "aegis-"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one mesh. `state` survives it, `run` holds sockets and goes with it."""

    state: Path
    run: Path

    @property
    def facts(self) -> Path:
        """mesh.json: every endpoint and pid of the running mesh."""
        return self.state / "mesh.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.state / "lock"

    @property
    def keys(self) -> Path:
        """Private keys and tokens, readable by the owner alone."""
        return self.state / "keys"

    @property
    def records(self) -> Path:
        """Decision records, a folder for each writer."""
        return self.state / "records"

    @property
    def xds(self) -> Path:
        """Envoy's routes and clusters, which it watches."""
        return self.state / "envoy" / "xds"

    def folder(self, name: str) -> Path:
        """A folder of one process, made if missing."""
        path = self.state / name
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def log(self, name: str) -> Path:
        """The log file of one process."""
        return self.folder("logs") / f"{name}.log"

    def socket(self, name: str) -> Path:
        """The unix socket of one process."""
        return self.run / f"{name}.sock"


def open_layout(state: Path) -> Layout:
    """Make the state folder and a fresh folder for sockets. Raises OSError."""
    state = state.resolve()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    run = Path(tempfile.mkdtemp(prefix=_PREFIX))
    if len(str(run)) > _LONGEST_SOCKET - 24:
        run.rmdir()
        run = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))
    return Layout(state, run)


def discard_run(run: Path) -> None:
    """Remove a folder of sockets, also one left by a mesh that was killed."""
    if run.name.startswith(_PREFIX) and run.is_dir():
        shutil.rmtree(run)
