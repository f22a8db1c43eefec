"""The endpoints of callbacks, as the settings say, with their secrets read once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aegis_authz.adapters.channels.callbacks import CallbackPlace, HttpCallbackSender
from aegis_authz.adapters.sql.callbacks import SqlCallbacks
from aegis_authz.adapters.sql.database import Database
from aegis_authz.bootstrap.channels import signing_key
from aegis_authz.bootstrap.settings import SettingsError
from aegis_authz.config.callbacks import CallbackSettings
from aegis_authz.control.approvals.callbacks import CallbackServices
from aegis_authz.people.permissions import RESERVED_IDS
from aegis_authz.ports.data_plane import Clock


async def open_callbacks(
    settings: Mapping[str, CallbackSettings], database: Database, clock: Clock
) -> tuple[CallbackServices, Callable[[], Awaitable[None]]]:
    """What keeps and posts callbacks, and what closes it. Raises SettingsError, DatabaseFault."""
    places: dict[str, CallbackPlace] = {}
    people: dict[str, frozenset[str]] = {}
    for name, entry in settings.items():
        if entry.url in places:
            raise SettingsError(f"callbacks.{name}: the endpoint is named twice")
        strange = sorted(RESERVED_IDS & set(entry.people))
        if strange:
            raise SettingsError(f"callbacks.{name}: {strange[0]} stands in records for what is no person")
        places[entry.url] = CallbackPlace(signing_key(entry.secret_file), entry.internal)
        people[entry.url] = frozenset(entry.people)
    store, sender = SqlCallbacks(database), HttpCallbackSender(places, clock)
    if database.dialect == "sqlite":  # which no other control plane uses
        await store.end_claims(clock.now())
    return CallbackServices(store, sender, people), sender.close
