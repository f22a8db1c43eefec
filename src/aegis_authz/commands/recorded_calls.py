"""Decision records of a mesh, to be judged again under documents of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.files.keys import KeyFolderError, load_keys
from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.bootstrap.bundles import policy_builder
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.commands.documents import read_documents
from aegis_authz.commands.faults import unable_on
from aegis_authz.commands.records import found_records
from aegis_authz.config.control import ControlSettings
from aegis_authz.core.call import CallKind
from aegis_authz.core.record import DecisionRecord
from aegis_authz.evidence.replay import NotJudged
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.record_comparison import recorded_call
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.source.problems import PolicyErrors, printable
from aegis_authz.ports.control_plane import RevocationListFault


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A decision record, where it stands, and its call."""

    record: DecisionRecord
    call: TriedCall
    kind: CallKind
    file: str
    line: int


@unable_on(NoRecords, NotJudged, OSError)
def found_record(state: Path, decision_id: str, loaded: Loaded) -> FoundRecord:
    """The record of that id in the logs of a mesh, read without verifying. Raises Unable."""
    for stored in found_records(state / "records", decision_id):
        if isinstance(stored.record, DecisionRecord):
            call, kind = recorded_call(stored.record, loaded)
            return FoundRecord(stored.record, call, kind, stored.file, stored.number)
    raise NotJudged(f"no record of decision {printable(decision_id)} in {state / 'records'}")


def revision_here(policies: Path, tools: Path, state: Path) -> str:
    """The revision these documents would have if the mesh published them;
    "" where its settings or keys cannot be read.
    """
    try:
        builder = policy_builder(load_settings(state / "control.yaml", ControlSettings), load_keys(state / "keys"))
        return builder.build(read_documents(policies, tools)).revision
    except (SettingsError, KeyFolderError, RevocationListFault, PolicyErrors, OSError):
        return ""
