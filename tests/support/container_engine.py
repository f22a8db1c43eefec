"""A Docker engine of its own in a network namespace of its own, so that nothing of the machine is touched; beside it a
world that writes down what reaches it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aegis_authz.local.program_cache import cached
from aegis_authz.local.servers import find_opa, find_redis

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "tests" / "deploy" / "programs"
BASE_IMAGE = "debian:bookworm-slim"
POSTGRES_IMAGE = "postgres:17-bookworm"
WORLD, WORLD6, NAMES = "203.0.113.10", "2001:db8::10", "203.0.113.53"
_NEEDED = {
    "dockerd": "docker.io",
    "docker-compose": "docker-compose",
    "ip": "iproute2",
    "iptables": "iptables",
    "nsenter": "util-linux",
    "mmdebstrap": "mmdebstrap",
}
_PATIENCE = 60.0
_DOCKER = "/usr/bin/docker"  # where docker.io has it; another of that name may be earlier on PATH


def missing() -> str:
    """What this machine lacks for an engine, "" when it lacks nothing."""
    if os.geteuid() != 0:
        return "root is needed to run a Docker engine in a network namespace"
    packages = [package for program, package in _NEEDED.items() if shutil.which(program) is None]
    if packages:
        return f"apt-get install --no-install-recommends {' '.join(packages)}"
    return "" if Path("/usr/bin/python3").exists() else "apt-get install python3 python3-pip"


class EngineFault(Exception):
    """A command of the engine failed; the message holds what it printed."""


class Engine:
    """A running engine, and the world beside it."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self.folder = folder
        self.namespace = namespace
        self.environment = {
            **os.environ,
            "DOCKER_HOST": f"unix://{folder}/docker.sock",
            "DOCKER_BUILDKIT": "0",  # the engine of Debian 12 has none, and no image needs it
            "ENGINE": _DOCKER,
        }

    def run(self, *command: str, given: str | None = None, check: bool = True) -> str:
        """What a command prints, with this engine in its environment. Raises EngineFault."""
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, input=given, capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise EngineFault(f"{' '.join(command)[:300]}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def docker(self, *words: str, given: str | None = None, check: bool = True) -> str:
        """What `docker` prints. Raises EngineFault."""
        return self.run(_DOCKER, *words, given=given, check=check)

    @property
    def world(self) -> str:
        """All that reached the world."""
        return (self.folder / "world.log").read_text("utf-8")


@contextmanager
def running_engine(folder: Path) -> Iterator[Engine]:
    """An engine that ends with the block, and its namespace with it."""
    namespace = f"aegis-test-{os.getpid()}"
    engine = Engine(folder, namespace)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        _make_world(namespace)
        places = [
            *(("tcp", host, port) for host in (WORLD, WORLD6) for port in (80,)),
            *(("tcp", "0.0.0.0", port) for port in (2222,)),  # noqa: S104  # a namespace without a way out
            *(("udp", host, port) for host, port in ((WORLD, 443), (NAMES, 53))),
        ]
        log = folder / "world.log"
        world = [sys.executable, str(PROGRAMS / "world.py"), json.dumps(places), str(log)]
        processes.append(_inside(namespace, world, folder / "world.err"))
        processes.append(_inside(namespace, _dockerd(folder), folder / "dockerd.log"))
        _wait(lambda: log.exists() and "ready" in log.read_text("utf-8"), folder / "world.err")
        _wait(lambda: _answers(engine), folder / "dockerd.log")
        yield engine
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(_PATIENCE)
        subprocess.run(f"ip netns del {namespace}".split(), check=False)


def _dockerd(folder: Path) -> list[str]:
    return [
        "dockerd",
        f"--data-root={folder}/data",
        f"--exec-root={folder}/exec",
        f"--host=unix://{folder}/docker.sock",
        f"--pidfile={folder}/dockerd.pid",
        "--default-ulimit=nofile=1024:4096",
        "--bip=10.123.0.1/24",
        f"--dns={NAMES}",
    ]


def _make_world(namespace: str) -> None:
    for command in (
        f"ip netns add {namespace}",
        f"ip -n {namespace} link set lo up",
        f"ip -n {namespace} addr add {WORLD}/32 dev lo",
        f"ip -n {namespace} addr add {NAMES}/32 dev lo",
        f"ip -n {namespace} addr add {WORLD6}/128 dev lo",
    ):
        subprocess.run(command.split(), check=True, capture_output=True)


def _inside(namespace: str, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    # nsenter, and not ip netns exec: that hides the control groups
    with log.open("ab") as output:
        words = f"nsenter --net=/run/netns/{namespace}".split() + list(command)
        return subprocess.Popen(words, stdout=output, stderr=output, start_new_session=True)


def _answers(engine: Engine) -> bool:
    return engine.docker("version", check=False).count("Version:") > 1


def _wait(is_so: object, log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < end, log.read_text("utf-8", "replace")[-3000:]
        time.sleep(0.2)


def load_bases(engine: Engine) -> None:
    """Give the engine what it would get from a registry: a Debian, and OPA and Redis under their official names."""
    _import_debian(engine, "bookworm-nftables", "python3,ca-certificates,nftables", BASE_IMAGE)
    redis = find_redis()
    for image, programs, lines in (
        ("openpolicyagent/opa:1.22.2-static", {"opa": find_opa()}, _OPA),
        ("redis:7.4-bookworm", {"redis-server": redis, "redis-cli": redis.with_name("redis-cli")}, _REDIS),
    ):
        context = engine.folder / "context" / image.partition(":")[0].replace("/", "-")
        context.mkdir(parents=True)
        for name, program in programs.items():
            shutil.copy(program, context / name)
        (context / "Dockerfile").write_text(lines, "utf-8")
        engine.docker("build", "--quiet", "-t", image, str(context))


def load_postgres(engine: Engine) -> None:
    """The same for PostgreSQL: Debian's, started as its official image starts it."""
    _import_debian(engine, "bookworm-postgres", "postgresql", "localhost/debian-postgres")
    context = engine.folder / "context" / "postgres"
    context.mkdir(parents=True)
    (context / "start").write_text(_POSTGRES_START, "utf-8")
    (context / "Dockerfile").write_text(_POSTGRES, "utf-8")
    engine.docker("build", "--quiet", "-t", POSTGRES_IMAGE, str(context))


def _import_debian(engine: Engine, name: str, packages: str, image: str) -> None:
    """A Debian with those packages, made once for all runs."""
    base = cached("debian-base", name).with_suffix(".tar")
    if not base.exists():
        base.parent.mkdir(parents=True, exist_ok=True)
        draft = base.with_suffix(".draft.tar")
        include = f"--include={packages}"
        engine.run("mmdebstrap", "--variant=minbase", "--mode=root", include, "bookworm", str(draft))
        draft.rename(base)
    path = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    engine.docker("import", "--change", path, str(base), image)


_OPA = """FROM scratch
COPY opa /opa
USER 1000:1000
ENTRYPOINT ["/opa"]
"""
_REDIS = f"""FROM {BASE_IMAGE}
RUN groupadd -r -g 999 redis && useradd -r -g redis -u 999 redis && install -d -o redis -g redis /data
COPY redis-server redis-cli /usr/local/bin/
VOLUME /data
WORKDIR /data
CMD ["redis-server"]
"""
_POSTGRES = """FROM localhost/debian-postgres
RUN usermod -u 999 -o postgres && groupmod -g 999 -o postgres \\
    && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql/data /run/postgresql
COPY start /usr/local/bin/start
RUN chmod 0755 /usr/local/bin/start
ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["/usr/local/bin/start"]
"""
_POSTGRES_START = """#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-host=scram-sha-256 --encoding=UTF8 --locale=C \\
        --pgdata="$PGDATA"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start
    createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl --wait stop
fi
exec postgres -c listen_addresses='*'
"""
