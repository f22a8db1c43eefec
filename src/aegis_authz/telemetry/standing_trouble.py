"""What hinders work that is tried again and again: in the log once, until it is another or over."""

from __future__ import annotations

import logging


class StandingTrouble:
    """The trouble of one loop. A loop that looks each second must not fill the log with one sentence."""

    def __init__(self, log: logging.Logger, level: int, text: str = "") -> None:
        """`text` is the trouble of the beginning, which is in no log, "" for none."""
        self._log = log
        self._level = level
        self._text = text

    @property
    def text(self) -> str:
        """What hinders now, "" for nothing."""
        return self._text

    def begin(self, text: str) -> None:
        """It is hindered by this; logged where it was not, or by something else."""
        if text != self._text:
            self._log.log(self._level, "%s", text)
        self._text = text

    def end(self) -> None:
        """Nothing hinders any more: the same trouble is logged again if it comes back."""
        self._text = ""
