"""A mesh from start to end: keys, settings, processes, mesh.json, and nothing left afterwards."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.local.documents import lay_out_probe
from aegis_authz.local.layout import Layout, discard_leftovers, open_layout
from aegis_authz.local.mesh_facts import MeshFacts, ProcessFacts, take_lock, write_facts
from aegis_authz.local.settings import MeshOptions, proxy_settings, write_settings
from aegis_authz.local.specs import process_stages
from aegis_authz.local.stand_in import echo_ports
from aegis_authz.local.supervisor import Observer, Stage, Status, Supervisor
from aegis_authz.local.tcp_ports import remember_ports

_log = logging.getLogger(__name__)

CreateKeys = Callable[[Layout], object]
"""Makes the keys that a mesh does not have yet, the certificate authority among them."""

ReadCatalogue = Callable[[MeshOptions, Layout], Catalogue]
"""Reads the documents of the mesh, the doctor's included; refuses what is not valid."""

RenderProxy = Callable[[Path, ProxySettings, Catalogue], Path]
"""Writes Envoy's configuration into a folder; returns the file Envoy is started with."""

Started = Callable[[MeshFacts], None]
"""Told the facts of the mesh once all of it is ready."""


class Mesh:
    """One mesh in one state folder."""

    def __init__(
        self,
        state: Path,
        options: MeshOptions,
        read_catalogue: ReadCatalogue,
        create_keys: CreateKeys,
        render_proxy: RenderProxy,
    ) -> None:
        self._state = state
        self._options = options
        self._read_catalogue = read_catalogue
        self._create_keys = create_keys
        self._render_proxy = render_proxy

    async def run(self, observer: Observer, started: Started) -> None:
        """Bring the mesh up, call `started` with its facts, run until SIGINT, SIGTERM or SIGHUP, take it down.

        Raises MeshRunning, StartFailed, ServerMissing or OSError; whatever happens, no process, socket or
        folder of sockets is left.
        """
        stop = stop_signals()
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = take_lock(self._state.resolve() / "lock")
        try:
            discard_leftovers(self._state)
            try:
                layout = open_layout(self._state)
                supervision = Supervision(layout, self._options, observer, started)
                await supervision.run(self._prepare(layout), stop)
            finally:
                discard_leftovers(self._state)
        finally:
            os.close(lock)

    def _prepare(self, layout: Layout) -> list[Stage]:
        options = self._options
        lay_out_probe(layout.folder("probe"), options.ports["probe"])
        catalogue = self._read_catalogue(options, layout)
        self._create_keys(layout)
        proxy = proxy_settings(layout, options)
        write_settings(layout.state / "proxy.yaml", proxy)
        remember_ports(layout.state, options.ports)
        echo = echo_ports(catalogue.by_name.values()) if options.echo else []
        config = self._render_proxy(layout.folder("envoy"), proxy, catalogue)
        return process_stages(layout, options, config, [port for port in echo if port != options.ports["probe"]])


class Supervision:
    """The processes of one mesh, and mesh.json kept true while they run."""

    def __init__(self, layout: Layout, options: MeshOptions, observer: Observer, started: Started) -> None:
        self._layout = layout
        self._options = options
        self._observer = observer
        self._started = started
        self._began = time.time()
        self._statuses: Sequence[Status] = ()
        self._is_up = False

    async def run(self, stages: Sequence[Stage], stop: asyncio.Event) -> None:
        """Run the processes until `stop`. Raises StartFailed, OSError."""
        await Supervisor(stages, self._observe).run(self._announce, stop)

    def _observe(self, statuses: Sequence[Status]) -> None:
        self._statuses = statuses
        if self._is_up:
            try:
                write_facts(self._layout.facts, self._facts())
            except OSError as fault:
                # a full disk must not take the mesh down: it denies what it cannot record
                _log.warning("mesh.json could not be written: %s", fault)
        self._observer(statuses)

    def _announce(self) -> None:
        self._is_up = True
        facts = self._facts()
        write_facts(self._layout.facts, facts)
        self._started(facts)

    def _facts(self) -> MeshFacts:
        layout, options = self._layout, self._options
        ports = options.ports
        return MeshFacts(
            proxy=f"http://127.0.0.1:{ports['proxy']}",
            reverse=f"http://127.0.0.1:{ports['reverse']}",
            workload={str(entry.agent): f"http://127.0.0.1:{entry.port}" for entry in options.workloads},
            control=f"http://127.0.0.1:{ports['control']}",
            evaluation=f"http://127.0.0.1:{ports['evaluation']}",
            metrics=f"http://127.0.0.1:{ports['metrics']}/metrics",
            prometheus=f"http://127.0.0.1:{ports['prometheus']}" if options.observability else "",
            authz=tuple(f"unix:{layout.socket(f'authz-{worker}')}" for worker in range(options.workers)),
            opa=f"unix://{layout.socket('opa')}",
            redis=f"unix://{layout.socket('redis')}",
            probe=f"http://127.0.0.1:{ports['probe']}",
            state=str(layout.state),
            run=str(layout.run),
            policies=str(options.policies),
            tools=str(options.tools),
            environment=options.environment,
            started=self._began,
            supervisor=os.getpid(),
            processes=tuple(
                ProcessFacts(each.name, each.state.value, each.pid, each.restarts, each.since, each.why)
                for each in self._statuses
            ),
        )


def stop_signals() -> asyncio.Event:
    """An event that SIGINT, SIGTERM and SIGHUP set; one that was ignored when we were started (nohup) stays ignored."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
