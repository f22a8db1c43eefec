"""The endpoints of callbacks, as settings say them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.system import SystemClock
from aegis_authz.bootstrap.callbacks import open_callbacks
from aegis_authz.bootstrap.settings import SettingsError
from aegis_authz.config.callbacks import CallbackSettings

URL = "https://agents.example.com/callbacks"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("k" * 32)
    path.chmod(0o600)
    return path


async def opened(tmp_path: Path, *entries: CallbackSettings) -> dict[str, frozenset[str]]:
    database = Database(f"sqlite:///{tmp_path / 'control.db'}")
    try:
        await database.migrate()
        named = {f"n{number}": entry for number, entry in enumerate(entries)}
        services, close = await open_callbacks(named, database, SystemClock())
        await close()
        return dict(services.places)
    finally:
        await database.close()


async def test_each_endpoint_is_for_the_people_that_stand_beside_it(tmp_path: Path, key: Path) -> None:
    entry = CallbackSettings(url=URL, secret_file=key, people=("pep", "ci"))
    assert await opened(tmp_path, entry) == {URL: frozenset({"pep", "ci"})}


async def test_what_cannot_be_meant_is_refused(tmp_path: Path, key: Path) -> None:
    entry = CallbackSettings(url=URL, secret_file=key, people=("pep",))
    with pytest.raises(SettingsError, match="named twice"):
        await opened(tmp_path, entry, entry)
    with pytest.raises(SettingsError, match="what is no person"):
        await opened(tmp_path, CallbackSettings(url=URL, secret_file=key, people=("bootstrap-owner",)))
    key.write_text("short")
    with pytest.raises(SettingsError, match="at least 32"):
        await opened(tmp_path, entry)


@pytest.mark.parametrize(
    "url", ["http://agents.example.com/callbacks", "http://127.0.0.1:9/callbacks", "https://localhost/callbacks"]
)
def test_an_endpoint_in_the_clear_or_on_this_machine_is_refused(key: Path, url: str) -> None:
    with pytest.raises(ValidationError):
        CallbackSettings(url=url, secret_file=key, people=("pep",))
