"""Records brought to where security teams read them: at least once each, in the order of each log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aegis_authz.adapters.records.cursor import (
    CursorInvalid,
    Place,
    PlacedLine,
    ends,
    lines_behind,
    load_places,
    save_places,
)
from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.ports.receiver import DeliveryFault, OutgoingEvent, Receiver
from aegis_authz.siem.entry import Entry, EntryInvalid, read_entry
from aegis_authz.siem.formats import Shape
from aegis_authz.siem.occasion import Uses

_FAULTS = (NoRecords, CursorInvalid, OSError)
MOST_EVENTS = 500
"""Events of one batch, as receivers commonly take them."""
_MOST_CHARACTERS = 800_000
"""Characters of one batch: receivers commonly take a MiB."""
_FIRST_PAUSE, _LAST_PAUSE = 1.0, 60.0
_Read = tuple[OutgoingEvent | None, PlacedLine]
"""A line that was read, and its event; None for a line that is left out."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is exported: the records in `folder` from `since` on (epoch seconds).

    `cursor` is the file in which it is kept how far they were delivered; None: nowhere. `from_now`: where the cursor
    knows of nothing yet, what is there already is left out.
    """

    folder: Path
    cursor: Path | None
    since: float
    from_now: bool


@dataclass(frozen=True, slots=True)
class ExportNotes:
    """What the one who watches the export is told: in each case the export goes on."""

    line_fault: Callable[[str], None]
    """A line holds no record; it is left out."""
    event_fault: Callable[[OutgoingEvent, str], None]
    """The receiver never takes this event; it is left out."""
    delay: Callable[[str, float], None]
    """The receiver does not take the batch now, for this reason; it is tried again after so many seconds."""
    wait: Callable[[float], None]
    """Lets so many seconds go by."""


@dataclass(slots=True)
class ExportCount:
    """How many events were delivered, and how many never will be."""

    delivered: int = 0
    refused: int = 0
    unreadable: int = 0


@dataclass(slots=True)
class Export:
    """One export, from its source to its receiver."""

    source: Source
    shape: Shape
    receiver: Receiver
    notes: ExportNotes
    patience: float
    """Seconds for which a receiver that does not answer is tried; infinite when the export follows the logs."""
    most: int
    """Events of one batch."""
    count: ExportCount = field(default_factory=ExportCount)
    _places: dict[str, Place] = field(default_factory=dict)
    _uses: Uses | None = None

    def start(self) -> None:
        """Find where to go on. Raises Unable."""
        with unable_on(*_FAULTS):
            kept = None if self.source.cursor is None else load_places(self.source.cursor)
            if kept is not None:
                self._places, self._uses = kept[0], Uses.of(kept[1])
                return
            self._places = ends(self.source.folder) if self.source.from_now else {}
            self._uses = None if self.source.cursor is None else Uses()

    def run(self) -> None:
        """Deliver what is there behind the places. Raises Unable when a receiver is not to be had."""
        with unable_on(*_FAULTS):
            for batch in _batches(self._entries(), self.most):
                if events := [event for event, _ in batch if event is not None]:
                    self._deliver(events)
                self._places |= {placed.writer: placed.place for _, placed in batch}
                self._save()

    def _save(self) -> None:
        if self.source.cursor is not None:
            uses = frozenset() if self._uses is None else frozenset(self._uses.pairs)
            save_places(self.source.cursor, self._places, uses)

    def _entries(self) -> Iterator[_Read]:
        for placed in lines_behind(self.source.folder, dict(self._places)):
            entry = self._entry(placed)
            is_wanted = entry is not None and entry.record.time >= self.source.since
            yield self.shape.event(entry, self._uses) if entry is not None and is_wanted else None, placed

    def _entry(self, placed: PlacedLine) -> Entry | None:
        try:
            return read_entry(placed.line)
        except EntryInvalid as fault:
            self.count.unreadable += 1
            self.notes.line_fault(str(fault))
            return None

    def _deliver(self, events: Sequence[OutgoingEvent]) -> None:
        """Deliver all of them; halves of a batch that is refused for good, until what is refused stands alone."""
        try:
            self._insist(events)
        except DeliveryFault as fault:
            if len(events) > 1:
                half = len(events) // 2
                self._deliver(events[:half])
                self._deliver(events[half:])
                return
            self.count.refused += 1
            self.notes.event_fault(events[0], str(fault))
        else:
            self.count.delivered += len(events)

    def _insist(self, events: Sequence[OutgoingEvent]) -> None:
        """Try until they are delivered. Raises DeliveryFault when they never will be, Unable after the patience."""
        pause, waited = _FIRST_PAUSE, 0.0
        while True:
            try:
                self.receiver.deliver(events)
            except DeliveryFault as fault:
                if fault.is_final:
                    raise
                if waited >= self.patience:
                    raise Unable(f"the receiver {fault}; {len(events)} events wait at the cursor") from None
                pause = max(pause, fault.wait)
                self.notes.delay(str(fault), pause)
                self.notes.wait(pause)
                waited += pause
                pause = min(2 * pause, _LAST_PAUSE)
            else:
                return


def _batches(events: Iterable[_Read], most: int) -> Iterator[list[_Read]]:
    batch: list[_Read] = []
    size = 0
    for event, placed in events:
        length = 0 if event is None else len(event.text)
        if batch and (len(batch) >= most or size + length > _MOST_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append((event, placed))
        size += length
    if batch:
        yield batch
