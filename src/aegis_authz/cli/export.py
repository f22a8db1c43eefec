"""`aegis export`: the records as events for a SIEM, to standard output or to where it listens."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import OptionalState, records_folder, since_option

if TYPE_CHECKING:
    from datetime import tzinfo

    from aegis_authz.commands.export import Export, ExportNotes
    from aegis_authz.ports.receiver import OutgoingEvent
    from aegis_authz.siem.formats import Shape

_LOOK_EVERY = 0.3  # seconds
_WordT = TypeVar("_WordT", bound=Enum)

Format = Annotated[str, typer.Option("--format", metavar="json|ocsf|ecs|cef", help="How events are written.")]


def export(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder of record logs; default: DIR/records.", show_default=False)
    ] = None,
    state: OptionalState = None,
    form: Format = "json",
    to: Annotated[
        str,
        typer.Option("--to", help="splunk+https://, otlp+https:// or syslog+tls://HOST[:PORT]; else standard output."),
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new records until interrupted.")] = False,
    cursor: Annotated[
        Path | None, typer.Option("--cursor", help="Keep in this file how far was delivered, and go on from there.")
    ] = None,
    since: Annotated[
        str, typer.Option("--since", help="Only from then on: 90s, 10m, 2h, 1d ago, or 2026-11-29T13:00Z.")
    ] = "",
    from_now: Annotated[bool, typer.Option("--from-now", help="Begin a new export behind what is there.")] = False,
    parameters: Annotated[
        str, typer.Option("--parameters", metavar="none|names|clear", help="How much of calls' parameters leaves.")
    ] = "names",
    zone: Annotated[
        str, typer.Option("--zone", help="The zone of `hour` and `weekday`, such as Europe/Berlin.")
    ] = "UTC",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="The receiver's secret; else $AEGIS_EXPORT_TOKEN.")
    ] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="Who vouches for the receiver; else the system's.")] = None,
    certificate: Annotated[Path | None, typer.Option("--certificate", help="This client's, with its key.")] = None,
    index: Annotated[str, typer.Option("--index", help="Splunk's index; else the token's own.")] = "",
    ack: Annotated[bool, typer.Option("--ack/--no-ack", help="Wait for Splunk's indexer.")] = True,
    name: Annotated[str, typer.Option("--name", help="This mesh's name at the receiver; else the host's.")] = "",
    patience: Annotated[
        int, typer.Option("--patience", min=0, help="Seconds to try a receiver that is away; with --follow, for ever.")
    ] = 60,
) -> None:
    """Bring the records to a SIEM as JSON, OCSF, ECS or CEF, each at least once.

    Exits with 0 when all was delivered, 1 when the receiver refused some for good, 2 when it could not be reached.

    Example: aegis export --format ocsf --follow --cursor splunk.cursor --to splunk+https://siem.example.com
    """
    from aegis_authz.commands.export import MOST_EVENTS, Export, Source
    from aegis_authz.commands.receivers import Destination, open_receiver

    shape = _shape(form, parameters, zone)
    source = Source(records_folder(folder, state), cursor, since_option(since), from_now)
    destination = Destination(to, token_file, ca, certificate, index, ack, name or socket.gethostname())
    with exits_on_faults("export"):
        receiver = open_receiver(destination, shape.version) if to else StandardOutput()
        job = Export(source, shape, receiver, _notes(), float("inf") if follow else patience, MOST_EVENTS)
        run_export(job, follow, lambda: time.sleep(_LOOK_EVERY))


class StandardOutput:
    """The receiver that is whoever reads standard output: a line an event."""

    def deliver(self, events: Sequence[OutgoingEvent]) -> None:
        """Print all of them."""
        typer.echo("\n".join(event.text for event in events))

    def close(self) -> None:
        """Nothing to let go of."""


def run_export(job: Export, follow: bool, wait: Callable[[], None]) -> None:
    """Deliver what is there, with `follow` also what comes until Ctrl-C; then say how much it was. Raises Unable."""
    job.start()
    try:
        job.run()
        while follow:
            wait()
            job.run()
    except KeyboardInterrupt:
        typer.echo(err=True)
    finally:
        job.receiver.close()
        count = job.count
        typer.echo(
            f"aegis export: {count.delivered} delivered, {count.refused} refused, {count.unreadable} unreadable",
            err=True,
        )
    if job.count.refused or job.count.unreadable:
        raise typer.Exit(REFUSED)


def _notes() -> ExportNotes:
    from aegis_authz.cli.audit_text import printable
    from aegis_authz.commands.export import ExportNotes

    def say(text: str) -> None:
        typer.echo(f"aegis export: {printable(text)}", err=True)

    return ExportNotes(
        line_fault=lambda fault: say(f"left out: {fault}"),
        event_fault=lambda event, why: say(f"refused for good: event {event.id}: {why}"),
        delay=lambda why, pause: say(f"the receiver {why}; again in {pause:.0f} s"),
        wait=time.sleep,
    )


def _shape(form: str, parameters: str, zone: str) -> Shape:
    from importlib.metadata import version as installed_version

    from aegis_authz.siem.event import Parameters
    from aegis_authz.siem.formats import Format, Shape

    return Shape(
        _word(Format, form, "--format"),
        _word(Parameters, parameters, "--parameters"),
        _zone(zone),
        installed_version("aegis-authz"),
    )


def _word(kind: type[_WordT], word: str, option: str) -> _WordT:
    try:
        return kind(word)
    except ValueError:
        words = ", ".join(str(member.value) for member in kind)
        raise typer.BadParameter(f"one of {words}, not {word!r}", param_hint=option) from None


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise typer.BadParameter(f"no time zone {name!r}", param_hint="--zone") from None
