"""How a command fails: three exceptions the command line and the console know, whatever adapter is behind them.

The third is `policy.source.problems.PolicyErrors`: documents have problems, each with its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class CommandFault(Exception):
    """A command cannot do what it was asked to; the message is fit to show."""


class Rejected(CommandFault):
    """What was asked got an answer, and the answer is no."""


class Unable(CommandFault):
    """It could not be asked at all."""


@contextmanager
def unable_on(*kinds: type[Exception]) -> Iterator[None]:
    """Exceptions of these kinds, inside the block or in the function it decorates, are raised as Unable."""
    try:
        yield
    except kinds as fault:
        raise Unable(str(fault)) from fault
