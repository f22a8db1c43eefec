"""Standard input and output as MCP over stdio has them: a message a line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

_LONGEST_LINE = 64 * 1024 * 1024


async def input_lines() -> AsyncIterator[bytes]:
    """The lines of standard input, until its end."""
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    try:
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    except ValueError:  # a file: it never makes anybody wait
        for line in sys.stdin.buffer:
            yield line
        return
    while line := await reader.readline():
        yield line


async def print_line(line: bytes) -> None:
    """Give standard output one line. Raises BrokenPipeError when nobody reads it any more."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()
