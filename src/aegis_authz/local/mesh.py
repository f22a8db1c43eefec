"""A mesh from start to end: keys, settings, processes, mesh.json, and nothing left afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from aegis_authz.core.catalogue import Catalogue
from aegis_authz.local.facts import take_lock, write_facts
from aegis_authz.local.layout import Layout, discard_run, open_layout
from aegis_authz.local.probe_documents import lay_out_probe
from aegis_authz.local.settings import MeshOptions, proxy_settings, write_settings
from aegis_authz.local.specs import process_specs
from aegis_authz.local.supervisor import Observer, Status, Supervisor
from aegis_authz.proxy.render import write_config

CreateKeys = Callable[[Path], object]
"""Makes what is missing in a folder of keys."""

ReadCatalogue = Callable[[Path, Path, Path], Catalogue]
"""Reads the folders of policies, tools and the doctor's documents; refuses what is not valid."""


class Mesh:
    """One mesh in one state folder."""

    def __init__(
        self, state: Path, options: MeshOptions, read_catalogue: ReadCatalogue, create_keys: CreateKeys
    ) -> None:
        self._state = state
        self._options = options
        self._read_catalogue = read_catalogue
        self._create_keys = create_keys

    async def run(self, observer: Observer, started: Callable[[dict[str, object]], None]) -> None:
        """Bring the mesh up, call `started` with its facts, run until SIGINT, SIGTERM or SIGHUP, take it down.

        Raises MeshRunning, StartFailed, ServerMissing or OSError; whatever happens, no process, socket or
        folder of sockets is left.
        """
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = take_lock(self._state.resolve() / "lock")
        try:
            _discard_leftovers(self._state)
            layout = open_layout(self._state)
            try:
                await self._supervise(layout, observer, started, stop)
            finally:
                layout.facts.unlink(missing_ok=True)
                discard_run(layout.run)
        finally:
            os.close(lock)

    async def _supervise(
        self, layout: Layout, observer: Observer, started: Callable[[dict[str, object]], None], stop: asyncio.Event
    ) -> None:
        (layout.run / "mesh").write_text(str(layout.state), "utf-8")
        (layout.state / "run").write_text(str(layout.run), "utf-8")
        options = self._options
        probe = lay_out_probe(layout.folder("probe"), options.ports["probe"])
        catalogue = self._read_catalogue(options.policies, options.tools, probe)
        self._create_keys(layout.keys)
        proxy = proxy_settings(layout, options)
        write_settings(layout.state / "proxy.yaml", proxy)
        envoy = write_config(layout.folder("envoy"), proxy, catalogue)
        specs = process_specs(layout, options, envoy)
        began = time.time()
        statuses: list[Status] = []
        is_up = False

        def observe(current: Sequence[Status]) -> None:
            statuses[:] = current
            if is_up:
                write_facts(layout.facts, self._facts(layout, statuses, began))
            observer(current)

        def announce() -> None:
            nonlocal is_up
            is_up = True
            facts = self._facts(layout, statuses, began)
            write_facts(layout.facts, facts)
            started(facts)

        await Supervisor(specs, observe).run(announce, stop)

    def _facts(self, layout: Layout, statuses: Sequence[Status], began: float) -> dict[str, object]:
        ports = self._options.ports
        return {
            "proxy": f"http://127.0.0.1:{ports['proxy']}",
            "reverse": f"http://127.0.0.1:{ports['reverse']}",
            "control": f"http://127.0.0.1:{ports['control']}",
            "metrics": f"http://127.0.0.1:{ports['metrics']}/metrics",
            "authz": [f"unix:{layout.socket(f'authz-{worker}')}" for worker in range(self._options.workers)],
            "opa": f"unix://{layout.socket('opa')}",
            "redis": f"unix://{layout.socket('redis')}",
            "state": str(layout.state),
            "run": str(layout.run),
            "policies": str(self._options.policies),
            "tools": str(self._options.tools),
            "probe": f"http://127.0.0.1:{ports['probe']}",
            "started": began,
            "supervisor": os.getpid(),
            "pids": {status.name: status.pid for status in statuses if status.pid is not None},
            "processes": [
                {"name": s.name, "state": s.state.value, "pid": s.pid, "restarts": s.restarts, "since": s.since}
                for s in statuses
            ],
        }


def _discard_leftovers(state: Path) -> None:
    """Remove what a mesh that was killed left: its facts and its folder of sockets."""
    (state / "mesh.json").unlink(missing_ok=True)
    note = state / "run"
    if note.is_file():
        left = Path(note.read_text("utf-8"))
        owner = left / "mesh"
        if owner.is_file() and owner.read_text("utf-8") == str(state.resolve()):
            discard_run(left)
