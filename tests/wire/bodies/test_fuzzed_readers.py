"""Every reader under atheris, which looks for inputs that reach new code: a value or one refusal, within a second."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.registry_clients import python_clients

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("fuzzed_readers.py")
SOURCE = Path(__file__).resolve().parents[3] / "src"
SECONDS = 20
SEEDS = {
    "form": [b"a=1&b[c][]=2&b[c][]=3&d[0][e]=x+%41"],
    "multipart": [
        b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--B--\r\n',
        b'--B\r\nContent-Disposition: form-data; name="f"; filename="x"\r\nContent-Type: a/b\r\n\r\n\0\r\n--B--\r\n',
    ],
    "boundary": [b'multipart/form-data; boundary="a=b"'],
    "lines": [b'{"a":[1,2.5,"x"]}\n{"b":null}\r\n'],
    "graphql": [
        b'mutation M($a: Int = 5) { p: pay(a: $a, to: {n: [1, E, "x"]}) { id ...F } } fragment F on P { r @skip(if: true) }'
    ],
    "operations": [
        b'[{"id":"user"},{"query":"{ pay(n: 1) }","variables":{}}]',
        b'{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"%s"}}}' % (b"a" * 64),
    ],
    "message": [b"\0\0\0\0\1x"],
    "fields": [
        b"\xff\x08\x01\xca\x02\x02\x00\x01\xd2\x02\x02\x08\x01\xda\x02\x07\x0a\x01a\x12\x02\x08\x01",
        b"\x00\xf8\x3f\x01",
    ],
}


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python of an environment with atheris and what readers need."""
    return python_clients("atheris", "graphql-core>=3.3,<3.4", "orjson>=3.11,<4")


@pytest.mark.parametrize("reader", SEEDS)
def test_a_reader_makes_a_value_or_one_refusal_of_any_bytes(reader: str, python: Path, tmp_path: Path) -> None:
    for number, seed in enumerate(SEEDS[reader]):
        (tmp_path / str(number)).write_bytes(seed)
    command = [
        str(python),
        str(PROGRAM),
        reader,
        str(tmp_path),
        f"-max_total_time={SECONDS}",
        "-timeout=1",
        "-max_len=4096",
    ]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
