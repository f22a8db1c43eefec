"""What a database says of its commits, as a test has it."""

from __future__ import annotations

from aegis_authz.ports.database import DatabaseFault


class ScriptedMarks:
    """`ports.CommitMarks`: the mark that the test set last. `is_away` has it fail."""

    def __init__(self) -> None:
        self.mark = 0
        self.is_away = False

    async def read(self) -> object:
        """The mark. Raises DatabaseFault while it is away."""
        if self.is_away:
            raise DatabaseFault("the database is away")
        return self.mark
