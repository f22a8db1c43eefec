"""How releases and problems of documents read, for people and as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from aegis_authz.api.policies import ChangeEntry, ReleaseAnswer, RevisionsAnswer, StatusAnswer
from aegis_authz.api.proposals import FilesAnswer, ProposalAnswer
from aegis_authz.commands.publishing import Publication
from aegis_authz.core.release import DocumentChanges
from aegis_authz.policy.source.problems import Problem, printable

_LATEST = 10


def problems_json(problems: Sequence[Problem]) -> str:
    """The problems as one JSON object."""
    return json.dumps({"valid": False, "problems": [asdict(problem) for problem in problems]}, indent=2)


def changes_text(publication: Publication) -> str:
    """The files a publication adds, changes and removes, a line each; "" for none."""
    lines = [*change_lines("policy", publication.policies), *change_lines("tool", publication.tools)]
    return "".join(f"{line}\n" for line in lines)


def change_lines(kind: str, changes: DocumentChanges | FilesAnswer) -> list[str]:
    """Files that are added, changed and removed, a line each."""
    marked = (("+", changes.added), ("~", changes.changed), ("-", changes.removed))
    return [f"{mark} {kind} {printable(path)}" for mark, paths in marked for path in paths]


def waiting_text(proposal: ProposalAnswer) -> str:
    """What waits for another person, and what that person does."""
    name = printable(proposal.id)
    return (
        f"proposal {name} waits until another person confirms it; what was served stays\n"
        f"digest {printable(proposal.digest)}\n"
        f"next: aegis policy proposals {name}, then aegis policy confirm {name} --digest DIGEST"
    )


def proposal_lines(proposal: ProposalAnswer) -> list[str]:
    """Who proposes what, a line each file."""
    head = f"{printable(proposal.id)}  {printable(proposal.by)}  {_local_time(proposal.time)}  {proposal.kind.value}"
    lines = [head, *([f"  {printable(proposal.message)}"] if proposal.message else [])]
    files = [*change_lines("policy", proposal.policies), *change_lines("tool", proposal.tools)]
    return [*lines, *(f"  {line}" for line in files)]


def release_text(release: ReleaseAnswer) -> str:
    """What became of a publish or rollback."""
    revision = printable(release.revision)
    if release.changed:
        lines = [f"revision {revision} in place of {printable(release.previous) or 'none'}"]
    else:
        lines = [f"no change: revision {revision} is served already"]
    if release.active_on:
        lines.append(f"active on {_names(release.active_on)} after {release.seconds:.2f} s")
    elif not release.waiting_for and not release.refused:
        lines.append("no OPA has reported yet: it will be active when one asks for it")
    if release.waiting_for:
        lines.append(f"not yet active on {_names(release.waiting_for)}")
    lines += [f"REFUSED by {printable(name)}: {printable(why)}" for name, why in release.refused.items()]
    lines += [f"CAUTION: {printable(caution)}" for caution in release.cautions]
    return "\n".join(lines)


def served_json(status: StatusAnswer, log: RevisionsAnswer) -> str:
    """The same as `served_tables` as one JSON object."""
    return json.dumps({**status.model_dump(mode="json"), "changes": log.model_dump(mode="json")["changes"]}, indent=2)


def served_tables(status: StatusAnswer, log: RevisionsAnswer) -> None:
    """Print what is served, what each OPA runs, and the latest changes."""
    console = Console()
    console.print(Text(f"served: {printable(status.revision) or 'nothing yet'}"))
    instances = [(opa.instance, opa.active_revision, opa.trouble) for opa in status.opa]
    _print_rows(console, instances, ("instance", "active revision", "trouble"), "no OPA has reported lately")
    changes = [
        (_local_time(change.time), change.kind.value, change.agent or change.revision, change.by, change.message)
        for change in log.changes
    ]
    _print_rows(console, changes[:_LATEST], ("time", "kind", "revision or agent", "by", "message"), "no changes")


def history_lines(log: RevisionsAnswer, most: int) -> list[str]:
    """The latest changes of the policies, two lines each: revision, how and when, by whom; then why. `*`: served."""
    changes = _revisions(log)
    lines = []
    for change in changes[:most]:
        mark, moment = "*" if change.revision == log.current else " ", _local_time(change.time)
        lines.append(f"{mark} {printable(change.revision)}  {change.kind.value} {moment} by {printable(change.by)}")
        if change.message:
            lines.append(f"    {printable(change.message)}")
    if len(changes) > most:
        lines.append(f"{len(changes) - most} older ones are left out")
    return lines or ["nothing was published yet"]


def history_json(log: RevisionsAnswer, most: int) -> str:
    """The same as one JSON object."""
    changes = [change.model_dump(mode="json") for change in _revisions(log)[:most]]
    return json.dumps({"current": log.current, "changes": changes}, indent=2)


def _revisions(log: RevisionsAnswer) -> list[ChangeEntry]:
    return [change for change in log.changes if not change.agent]


def _print_rows(console: Console, rows: Sequence[Sequence[str]], columns: Sequence[str], otherwise: str) -> None:
    if not rows:
        console.print(Text(otherwise))
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table)


def _local_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(printable, names))
