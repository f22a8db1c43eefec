"""What calls cost, as the control plane answers it."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_authz.api.model import Answer


class SpendAnswerRow(Answer):
    """What calls that have something in common cost; `tenant`, `agent`, `tool` and `day` are "" where not asked for.

    Amounts are micro-units of `currency`; `unsettled_micros` is the part that is estimated.
    """

    tenant: str = ""
    agent: str = ""
    tool: str = ""
    day: str = ""
    currency: str
    calls: int
    micros: int
    unsettled_micros: int
    released_calls: int


class SpendAnswer(Answer):
    """The sums, in order of what they are by."""

    spend: tuple[SpendAnswerRow, ...]

    @classmethod
    def of(cls, rows: Sequence[SpendAnswerRow]) -> SpendAnswer:
        """These rows as an answer."""
        return cls(spend=tuple(rows))
