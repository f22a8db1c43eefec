"""The units of deploy/systemd as systemd reads them, and their command lines as processes without systemd."""

from __future__ import annotations

import ctypes
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
UNITS = FOLDER / "units"
DROP_IN = UNITS / "aegis-.service.d" / "hardening.conf"
_PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN = 38, 65, 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def service_files() -> list[Path]:
    """The files of all services."""
    return sorted(UNITS.glob("*.service"))


def unit_name(file: Path) -> str:
    """The unit of a file; of a template its first instance."""
    return file.name.replace("@.", "@0.")


def directives(file: Path) -> dict[str, list[str]]:
    """What the service of a file says, then what holds for all, as systemd reads it; an empty value takes back."""
    found: dict[str, list[str]] = {}
    for line in (file.read_text("utf-8") + DROP_IN.read_text("utf-8")).splitlines():
        if match := re.match(r"([A-Za-z]+)=(.*)", line):
            found[match[1]] = [*found.get(match[1], ()), match[2]] if match[2] else []
    return found


def install(root: Path) -> None:
    """Lay the units out in `root` as on a machine, with programs that do nothing."""
    shutil.copytree(UNITS, root / "etc" / "systemd" / "system")
    for kind in ("sysusers", "tmpfiles"):
        (root / "usr" / "lib" / f"{kind}.d").mkdir(parents=True)
        shutil.copy(FOLDER / f"aegis.{kind}", root / "usr" / "lib" / f"{kind}.d" / "aegis.conf")
    lines = [word for file in service_files() for word in directives(file)["ExecStart"]]
    for program in {*(shlex.split(line)[0] for line in lines), "/opt/aegis/bin/aegis"}:
        path = root / program.removeprefix("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)


@dataclass(frozen=True, slots=True)
class Machine:
    """A folder in place of `/`, free ports in place of those of the settings, and this checkout in place of /opt."""

    root: Path
    ports: Mapping[str, int]
    opa: Path
    redis: Path

    def words(self, text: str) -> str:
        """A text of a unit or of settings as it is on this machine."""
        for folder in ("/run/", "/var/lib/", "/var/log/aegis/", "/etc/aegis/"):
            text = re.sub(rf"(?<![\w.}}]){folder}", f"{self.root}{folder}", text)
        return re.sub(r"\b\d{4,5}\b", lambda match: str(self.ports.get(match[0], match[0])), text)

    def lay_out(self) -> None:
        """Make the folders that systemd makes, and copy the settings."""
        for folder in ("run/aegis", "run/aegis-envoy", "var/lib/opa", "var/log/aegis", "etc/aegis"):
            (self.root / folder).mkdir(parents=True)
        for name in ("redis", "control", "records"):
            (self.root / "var" / "lib" / "aegis" / name).mkdir(parents=True)
        for file in (FOLDER / "settings").iterdir():
            (self.root / "etc" / "aegis" / file.name).write_text(self.words(file.read_text("utf-8")))

    def command(self, line: str, unit: str) -> list[str]:
        """The words of a command line of a unit."""
        line = self.words(line).replace("${CREDENTIALS_DIRECTORY}", str(self.credentials(unit)))
        program, *rest = shlex.split(line.replace("%i", unit.partition("@")[2].partition(".")[0]))
        programs = {
            "/opt/aegis/bin/aegis": [sys.executable, "-P", "-m", "aegis_authz.cli"],
            "/opt/aegis/bin/opa": [str(self.opa)],
            "/usr/bin/redis-server": [str(self.redis)],
        }
        return [*programs[program], *rest]

    def credentials(self, unit: str) -> Path:
        """The folder of the credentials of a unit."""
        return self.root / "run" / "credentials" / unit

    def start(self, file: Path, log: Path) -> subprocess.Popen[bytes]:
        """Start the process of a unit as the unit says, and return once what follows its start ended well."""
        unit, said = unit_name(file), directives(file)
        folder = self.credentials(unit)
        folder.mkdir(parents=True)
        for credential in said.get("LoadCredential", ()):
            name, _, source = credential.partition(":")
            shutil.copy(self.words(source), folder / name)
            (folder / name).chmod(0o400)
        [line] = said["ExecStart"]
        environment = dict(pair.partition("=")[::2] for words in said.get("Environment", ()) for pair in words.split())
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.command(line, unit),
                stdout=output,
                stderr=output,
                cwd=folder if said.get("WorkingDirectory") == ["-%d"] else self.root,
                env={"PATH": "/usr/bin:/bin", "HOME": str(self.root), **environment},
                preexec_fn=_confined if said["MemoryDenyWriteExecute"] == ["yes"] else None,  # noqa: PLW1509  # one thread
            )
        for line in said.get("ExecStartPost", ()):
            words = self.command(line.replace("$MAINPID", str(process.pid)), unit)
            subprocess.run(words, check=True, timeout=120)
        return process


def _confined() -> None:
    """What of a unit's confinement a process can lay on itself; kernels before 6.3 have no PR_SET_MDWE and go without."""
    _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _LIBC.prctl(_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)


def stop(process: subprocess.Popen[bytes], seconds: float) -> int:
    """End a process as systemd does, and return what it ended with; a process that stays is killed."""
    process.terminate()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
