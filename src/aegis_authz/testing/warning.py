"""What a memory twin says when it is made elsewhere than in a test."""

from __future__ import annotations

import logging
import warnings

_log = logging.getLogger(__name__)


class NothingIsKept(RuntimeWarning):
    """A port that forgets everything was put together where something must be kept."""


def warn_outside_tests(twin: object, for_tests: bool) -> None:
    """Warn loudly, on standard error and in the log, unless `for_tests`."""
    if for_tests:
        return
    words = f"{type(twin).__name__} is for tests: it keeps nothing, and no other process sees what it holds"
    _log.error(words)
    warnings.warn(words, NothingIsKept, stacklevel=3)
