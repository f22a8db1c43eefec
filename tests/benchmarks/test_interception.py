"""What the opening of HTTPS costs is measured on a real Envoy, and the page has the table."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.interception import PAGE, Line, leaf_microseconds, measure, opener, table


async def test_tunnels_and_handshakes_are_counted_on_a_real_envoy() -> None:
    with tempfile.TemporaryDirectory(prefix="aegis-") as folder:
        async with opener(Path(folder)) as tunnels:
            lines = await measure(tunnels, 8)
    assert len(lines) == 5
    assert all(line.rate > 0 and line.median > 0 for line in lines)


def test_a_leaf_that_was_made_before_is_found_in_a_fraction_of_the_time() -> None:
    made, before = leaf_microseconds(20)
    assert before * 5 < made


def test_the_page_has_the_table_of_a_run() -> None:
    block = PAGE.read_text("utf-8").split("<!-- handshakes -->\n")[1].split("\n<!-- /handshakes -->")[0]
    head = table([Line("x", 1, 1)], (1, 1)).splitlines()[:2]
    assert block.splitlines()[:2] == head
    assert block.count("\n| ") == 5
    assert "A leaf is made in " in block
