"""What is read of a log, and what is said of it once it was verified."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.evidence.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as it was read, its newline included, and where: the file's label and the line's number from 1."""

    file: str
    number: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is not as the writer left it. `line` and `seq` are 0 where there is none."""

    file: str
    line: int
    seq: int
    decision_id: str
    what: str

    def sentence(self) -> str:
        """The damage in one line for a person."""
        decision = f" (decision {self.decision_id})" if self.decision_id else ""
        place = f"{self.file} line {self.line}" if self.line else self.file
        return f"record {self.seq}{decision} in {place}: {self.what}" if self.seq else f"{place}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """What is known of one writer's log. Times are seconds since the epoch, None without records.

    `records` counts the lines read, `sealed` those that the newest trusted checkpoint covers. `unknown` counts whole
    lines whose record is of a kind or version not known here: they are proven and not understood. `key_ids` are
    the thumbprints of the keys that the log led through, one after the other, and `sealing_ids` those of them that
    sealed something: a writer that was away through two changes of key takes both steps at once. `cuts` names the tails
    cut off at restarts.
    `damage_count` may exceed the damages described. `is_foreign` says that another key signed the log and nothing else
    is wrong with it: it is not proven, and no sign of tampering. `notes` are worth knowing and no damage.
    """

    writer: str
    records: int
    sealed: int
    unknown: int
    first_time: float | None
    last_time: float | None
    head: str
    key_ids: tuple[str, ...]
    sealing_ids: tuple[str, ...]
    cuts: tuple[str, ...]
    damages: tuple[Damage, ...]
    damage_count: int
    is_foreign: bool
    notes: tuple[str, ...]

    @property
    def key_id(self) -> str:
        """The key that sealed the end of the log, by its thumbprint."""
        return self.key_ids[-1]

    @property
    def is_intact(self) -> bool:
        """Whether nothing at all is wrong with the log."""
        return self.damage_count == 0

    @staticmethod
    def of_a_missing_log(checkpoint: Checkpoint, public_key: bytes) -> LogReport:
        """The report on a log of which nothing is left but `checkpoint`, kept elsewhere."""
        words = f"the whole log is missing; the checkpoint kept elsewhere seals {checkpoint.size} records"
        return LogReport.without_lines(checkpoint.writer, public_key, words)

    @staticmethod
    def without_lines(name: str, public_key: bytes, words: str, file: str = "", is_foreign: bool = False) -> LogReport:
        """The report on a log, or the roster, of which nothing can be read; `words` is wrong with it, by `file`."""
        return LogReport(
            writer=name,
            records=0,
            sealed=0,
            unknown=0,
            first_time=None,
            last_time=None,
            head="",
            key_ids=(thumbprint(public_key),),
            sealing_ids=(),
            cuts=(),
            damages=(Damage(file or name, 0, 0, "", words),),
            damage_count=1,
            is_foreign=is_foreign,
            notes=(),
        )
