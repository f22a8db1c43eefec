"""`aegis doctor --dir`: whether Envoy routes by the very catalogue that calls are judged with."""

from __future__ import annotations

import time
from pathlib import Path

from aegis_authz.adapters.opa.http import OpaHttp
from aegis_authz.adapters.opa.snapshots import OpaSnapshots
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.local.envoy_admin import EnvoyUnreadable, read_admin
from aegis_authz.local.mesh_facts import MeshFacts
from aegis_authz.local.proof import Proof
from aegis_authz.proxy.route_differences import DUMP_PATH, route_differences

_MOST_SHOWN = 5


async def prove_routes(state: Path, facts: MeshFacts) -> Proof:
    """Compare the routes Envoy runs with the catalogue OPA runs; what cannot be read is a trouble, too."""
    started = time.perf_counter()
    revision, answer, trouble = "", "not compared", ""
    try:
        snapshot = await _snapshot(Path(facts.opa.removeprefix("unix://")))
        revision = snapshot.revision
        settings = load_settings(state / "proxy.yaml", ProxySettings)
        dump = await read_admin(Path(settings.admin_socket), DUMP_PATH)
        differences = route_differences(settings, snapshot.catalogue, dump)
        answer = f"{len(differences)} differ" if differences else "the same"
        trouble = _told(differences)
    except (EnvoyUnreadable, SettingsError, OSError, ValueError) as fault:
        trouble = str(fault)
    except Refused as refusal:
        trouble = f"OPA's catalogue cannot be read: {refusal.detail}"
    return Proof(
        call="no call: the routes of Envoy",
        control="a call goes where it was judged to go",
        expected=f"those of revision {revision[:12]}" if revision else "those of OPA's revision",
        answer=answer,
        reason="",
        decision_id="",
        ms=(time.perf_counter() - started) * 1000,
        trouble=trouble,
    )


async def _snapshot(socket: Path) -> Snapshot:
    snapshots = OpaSnapshots(OpaHttp(socket))
    try:
        await snapshots.look()
        return snapshots.current()
    finally:
        await snapshots.close()


def _told(differences: list[str]) -> str:
    more = len(differences) - _MOST_SHOWN
    return "; ".join(differences[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
