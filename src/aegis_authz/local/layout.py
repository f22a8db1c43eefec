"""Where everything of a mesh lies: its state folder, and a short folder for unix sockets."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.local.mesh_facts import FACTS_FILE

ANCHORS_FILE = "anchors.jsonl"
"""The copy of all anchors in a state folder."""
_LONGEST_SOCKET = 100  # sun_path holds 108 bytes
_LONGEST_NAME = len("/authz-63.sock")
_PREFIX = "aegis-"
_NOTE = "run"  # in the state folder: where the sockets are
_OWNER = "mesh"  # in the folder of sockets: whose they are
_IGNORE_ALL = "# Private keys and records: nothing for a repository.\n*\n"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one mesh. `state` survives it, `run` holds sockets and goes with it."""

    state: Path
    run: Path

    @property
    def facts(self) -> Path:
        """mesh.json: every endpoint and pid of the running mesh."""
        return self.state / FACTS_FILE

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.state / "lock"

    @property
    def keys(self) -> Path:
        """Private keys and tokens, readable by the owner alone."""
        return self.state / "keys"

    @property
    def agents(self) -> Path:
        """The keys and enrolments of this machine's agents."""
        return self.state / "agents"

    @property
    def authority(self) -> Path:
        """The mesh's certificate authority, and what clients are given to trust it by."""
        return self.state / "ca"

    @property
    def bundle(self) -> Path:
        """The authorities that a client of the mesh has to trust: its own, and the public ones."""
        return self.authority / "bundle.pem"

    @property
    def trusted(self) -> Path:
        """The mesh's own authorities alone."""
        return self.authority / "trusted.pem"

    @property
    def records(self) -> Path:
        """Decision records, a folder for each writer."""
        return self.state / "records"

    @property
    def anchors(self) -> Path:
        """Where the control plane copies its anchors to."""
        return self.state / ANCHORS_FILE

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
    """Make the state folder, of which git takes nothing, and a fresh folder for sockets, each naming the other.

    Raises OSError.
    """
    state = state.resolve()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError), (state / ".gitignore").open("x", encoding="utf-8") as ignore:
        ignore.write(_IGNORE_ALL)
    run = Path(tempfile.mkdtemp(prefix=_PREFIX))
    if len(str(run)) + _LONGEST_NAME > _LONGEST_SOCKET:
        run.rmdir()
        run = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))  # made for us alone
    (run / _OWNER).write_text(str(state), "utf-8")
    (state / _NOTE).write_text(str(run), "utf-8")
    return Layout(state, run)


def discard_leftovers(state: Path) -> None:
    """Remove what a mesh of this state folder left of its running: mesh.json and the folder of sockets.

    To be called when none runs.
    """
    state = state.resolve()
    (state / FACTS_FILE).unlink(missing_ok=True)
    note = state / _NOTE
    if not note.is_file():
        return
    run = Path(note.read_text("utf-8"))
    owner = run / _OWNER
    # only a folder that names us: a note may be older than a reboot, and the name in use again
    if run.name.startswith(_PREFIX) and owner.is_file() and owner.read_text("utf-8") == str(state):
        shutil.rmtree(run)
    note.unlink()
