"""A PostgreSQL of a test's own, from the server that this machine has installed."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def postgres_programs() -> Path | None:
    """The folder of `initdb`, `pg_ctl` and `postgres`; None where there is no server."""
    found = shutil.which("initdb")
    folders = ([Path(found).resolve().parent] if found else []) + _DEBIAN
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


@contextmanager
def running_postgres(programs: Path) -> Iterator[str]:
    """A server on a unix socket alone; the URL of its database `postgres`, of a user without a password.

    It refuses to run as root: there it is run as the user `postgres`, whom its package made.
    """
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="aegis-pg-", dir="/tmp") as folder:
        root = Path(folder)
        if user is not None:
            shutil.chown(root, user)
        data, log = root / "data", root / "log"
        ways = ["--username=aegis", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
        _run([str(programs / "initdb"), *ways, f"--pgdata={data}"], user, root)
        options = f"-c listen_addresses='' -c unix_socket_directories='{root}' -c fsync=off"
        control = [str(programs / "pg_ctl"), f"--pgdata={data}", f"--log={log}", "--wait"]
        _run([*control, f"--options={options}", "start"], user, root)
        try:
            yield f"postgresql://aegis@/postgres?host={quote(str(root), safe='')}"
        finally:
            _run([*control, "--mode=immediate", "stop"], user, root)


def _run(command: list[str], user: str | None, folder: Path) -> None:
    with (folder / "out").open("ab") as out:
        subprocess.run(command, user=user, cwd=folder, stdout=out, stderr=out, check=True)


async def new_database(url: str, encoding: str = "UTF8") -> str:
    """The URL of a database on that server that nobody has used."""
    name = f"t{secrets.token_hex(6)}"
    engine = create_async_engine(url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'")
    await engine.dispose()
    return url.replace("/postgres?", f"/{name}?")


async def database_url(request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a new database of the kind that the fixture's parameter names: `sqlite`, in the folder, or `postgresql`."""
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'control.db'}"
    return await new_database(request.getfixturevalue("postgres"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed here: apt-get install postgresql runs this suite on it")
    with running_postgres(programs) as url:
        yield url
