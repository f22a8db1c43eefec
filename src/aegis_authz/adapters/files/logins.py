"""The API keys that a user of this machine signed in with, one for each control plane."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from aegis_authz import durable
from aegis_authz.core.units import Epoch


class LoginsFault(Exception):
    """The file of logins cannot be read or kept; the message is fit to show."""


@dataclass(frozen=True, slots=True)
class Login:
    """As whom, and with which key, until when (epoch seconds)."""

    person: str
    key: str = field(repr=False)
    expires_at: Epoch


def logins_path(environment: Mapping[str, str]) -> Path:
    """`aegis/logins.json` in the folder of the user's settings (XDG Base Directory)."""
    home = Path(environment.get("HOME") or Path.home())
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "aegis" / "logins.json"


class FileLogins:
    """Logins by the URL of their control plane, in a file that its owner alone can read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, url: str) -> Login | None:
        """The login at a control plane. Raises LoginsFault, also for a file that others can read."""
        return self._read().get(url)

    def keep(self, url: str, login: Login) -> None:
        """Keep this for that control plane. Raises LoginsFault."""
        self._write({**self._read(), url: login})

    def forget(self, url: str) -> None:
        """Keep none for it. Raises LoginsFault."""
        self._write({name: login for name, login in self._read().items() if name != url})

    def _read(self) -> dict[str, Login]:
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise LoginsFault(f"{self._path}: others can read it; chmod 600 it")
                members = json.load(file)
            return {url: Login(**entry) for url, entry in members.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError):
            raise LoginsFault(f"{self._path}: not a file of logins; remove it and sign in again") from None

    def _write(self, logins: Mapping[str, Login]) -> None:
        content = json.dumps({url: asdict(login) for url, login in sorted(logins.items())}, indent=2)
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.replace(self._path, content.encode("utf-8"))
        except OSError as fault:
            raise LoginsFault(f"{self._path}: {fault.strerror}") from None
