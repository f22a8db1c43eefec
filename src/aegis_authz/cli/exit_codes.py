"""How every command ends, in one table.

| code | meaning |
|---|---|
| 0 | done, and the answer is yes |
| 1 | done, and the answer is no: invalid documents, a failing test, a tampered log, a refused request |
| 2 | it could not be done at all: a wrong option, an unreadable file, a control plane that does not answer |
| 143 | `aegis bench` was ended by SIGTERM before it had an answer |
"""

from __future__ import annotations

from typing import Final

REFUSED: Final = 1
"""Asked, and the answer was no."""

UNABLE: Final = 2
"""Could not ask at all."""

ENDED: Final = 143
"""Ended by SIGTERM, as a shell tells it."""
