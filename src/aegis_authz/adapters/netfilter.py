"""The packet filter of this network namespace, by the program `nft`."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

from aegis_authz.core.json_value import Json
from aegis_authz.encoding.narrowing import items, mapping
from aegis_authz.intercept.packet_rules import FAMILIES, TABLE

PLACES = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin"
"""Where programs of administrators are, also where PATH does not name them."""
_NET_ADMIN = 12  # capability.h of Linux
_PATIENCE = 30.0


class NetfilterFault(Exception):
    """The packet filter cannot be read or written; the message says why, and what to do."""


class Netfilter:
    """Reads and writes the tables `aegis`. Each write is one transaction: all of it holds, or nothing does."""

    def __init__(self) -> None:
        """Raises NetfilterFault where there is no `nft`, or no right to use it."""
        program = shutil.which("nft") or shutil.which("nft", path=PLACES)
        if program is None:
            raise NetfilterFault("nft is not installed: it is in the package nftables of Debian, Alpine and Fedora")
        if not may_administer():
            raise NetfilterFault("this needs root, or the capability NET_ADMIN in this network namespace")
        self._program = program

    def tables(self) -> dict[str, Json]:
        """The tables that are there, by family, as nft lists them. Raises NetfilterFault."""
        return {family: self._listing("list", "table", family, TABLE) for family in FAMILIES if self._has_table(family)}

    def write(self, text: str) -> None:
        """Put rules in force. Raises NetfilterFault, and nothing is changed."""
        self._run("-f", "-", text=text)

    def check(self, text: str) -> None:
        """Have the kernel look at rules, and change nothing. Raises NetfilterFault."""
        self._run("-c", "-f", "-", text=text)

    def _has_table(self, family: str) -> bool:
        entries = items(mapping(self._listing("list", "tables", family), "tables")["nftables"], "nftables")
        tables = (mapping(entry, "an entry").get("table", {}) for entry in entries)
        return any(mapping(table, "a table").get("name") == TABLE for table in tables)

    def _listing(self, *words: str) -> Json:
        listing: Json = json.loads(self._run("-j", "-n", *words))
        return listing

    def _run(self, *words: str, text: str = "") -> str:
        try:
            done = subprocess.run(
                [self._program, *words], input=text, capture_output=True, text=True, timeout=_PATIENCE, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as fault:
            raise NetfilterFault(f"nft does not run: {fault}") from None
        if done.returncode != 0:
            reason = next((line for line in done.stderr.splitlines() if "rror" in line), done.stderr.strip())
            raise NetfilterFault(f"nft refuses: {reason}")
        return done.stdout


def may_administer() -> bool:
    """Whether this process may change the packet filter here."""
    status = Path("/proc/self/status").read_text("utf-8")
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> _NET_ADMIN & 1)


def devices() -> frozenset[str]:
    """The network devices of this namespace."""
    return frozenset(name for _, name in socket.if_nameindex())
