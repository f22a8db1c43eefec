"""Plays rendered pods on a Docker engine: each container with the user, rights, mounts and words that its pod gives it,
all of them in one network namespace, with Secrets and ConfigMaps as a kubelet projects them. Init containers come first
and in order: those that end have ended, and those that stay have passed their startup probe, before the next begins.

What a kubelet does beyond that (probes later on, restarts) is not played.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.container_engine import Engine, EngineFault

_PATIENCE = 300.0


class PodPlayer:
    """Pods that share one namespace of network, which `holder` keeps open.

    `hosts` are addresses by the names that the pods know; `network` is one of the engine's.
    """

    def __init__(
        self, engine: Engine, folder: Path, hosts: Mapping[str, str], holder_image: str, holder: str, network: str
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._holder = holder
        self._containers = [holder]
        self._volumes: list[str] = []
        words = [word for name, address in hosts.items() for word in ("--add-host", f"{name}:{address}")]
        engine.docker("run", "--detach", "--name", holder, "--network", network, *words, holder_image, "sleep", "3600")

    @property
    def address(self) -> str:
        """Of the pods, in their network."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self._engine.docker("inspect", "--format", form, self._holder).strip()

    def play(self, part: str, owner: Mapping[str, Any], settings: Mapping[str, dict[str, str]], secrets: Path) -> None:
        """Start the pod of a Deployment or StatefulSet. `settings` are ConfigMaps by name, `secrets` the folders of
        `aegis init`.
        """
        spec = owner["spec"]["template"]["spec"]
        claims = [
            {"name": claim["metadata"]["name"], "emptyDir": {}}
            for claim in owner["spec"].get("volumeClaimTemplates", [])
        ]
        self.play_pod(part, {**spec, "volumes": [*spec["volumes"], *claims]}, settings, secrets, b"")

    def play_pod(
        self,
        part: str,
        spec: Mapping[str, Any],
        settings: Mapping[str, dict[str, str]],
        secrets: Path,
        service_account_token: bytes,
    ) -> None:
        """Start a pod, whose service account has this token. Raises AssertionError when a probe never passes."""
        group = spec["securityContext"]["fsGroup"]
        volumes: dict[str, str] = {}
        for volume in spec["volumes"]:
            name = f"{part}-{volume['name']}"
            if "secret" in volume:
                folder = secrets / volume["secret"]["secretName"].removeprefix("aegis-")
                files = {path.name: path.read_bytes() for path in folder.iterdir()}
                volumes[volume["name"]] = self._projected(name, files, volume["secret"]["defaultMode"], group)
            elif "configMap" in volume:
                texts = settings[volume["configMap"]["name"]]
                files = {file: text.encode() for file, text in texts.items()}
                volumes[volume["name"]] = self._projected(name, files, 0o644, group)
            elif "projected" in volume:
                (source,) = volume["projected"]["sources"]
                files = {source["serviceAccountToken"]["path"]: service_account_token}
                volumes[volume["name"]] = self._projected(name, files, volume["projected"]["defaultMode"], group)
            else:
                volumes[volume["name"]] = self._memory(name, group)
        for container in spec.get("initContainers", []):
            stays = container.get("restartPolicy") == "Always"
            self._run(f"{part}-{container['name']}", container, spec["securityContext"], volumes, group, stays=stays)
            if stays and "startupProbe" in container:
                self.passes(f"{part}-{container['name']}", container["startupProbe"]["exec"]["command"])
        for container in spec["containers"]:
            self._run(f"{part}-{container['name']}", container, spec["securityContext"], volumes, group, stays=True)

    def start(self, name: str, image: str, *command: str) -> None:
        """Start a container that is of no pod, beside them."""
        network = ("--network", f"container:{self._holder}")
        self._engine.docker("run", "--detach", "--name", name, *network, image, *command)
        self._containers.append(name)

    def inside(self, container: str, *command: str) -> str:
        """Run a command in a container. Raises EngineFault."""
        return self._engine.docker("exec", container, *command)

    def outside(self, *command: str) -> str:
        """Run a command in the network namespace of the pods, in none of them. Raises EngineFault."""
        return self._engine.docker("exec", self._holder, *command)

    def logs(self) -> str:
        """The last lines of every container."""
        return "\n".join(f"{name}: {self._engine.docker('logs', '--tail', '8', name)}" for name in self._containers[1:])

    def end(self) -> None:
        """Remove every container and volume."""
        self._engine.docker("rm", "--force", *reversed(self._containers), check=False)
        self._engine.docker("volume", "rm", "--force", *self._volumes, check=False)

    def _run(
        self,
        name: str,
        container: Mapping[str, Any],
        of_pod: Mapping[str, Any],
        volumes: Mapping[str, str],
        group: int,
        *,
        stays: bool,
    ) -> None:
        rights = {**of_pod, **container["securityContext"]}
        words = ["--user", f"{rights['runAsUser']}:{rights.get('runAsGroup', rights['runAsUser'])}"]
        words += ["--group-add", str(group)]
        if "resources" in container:
            words += ["--memory", container["resources"]["limits"]["memory"].replace("Mi", "m")]
        words += ["--read-only"] if rights.get("readOnlyRootFilesystem") else []
        for act, names in rights.get("capabilities", {}).items():
            words += [word for name in names for word in (f"--cap-{act}", name)]
        words += [] if rights["allowPrivilegeEscalation"] else ["--security-opt", "no-new-privileges"]
        for mount in container.get("volumeMounts", []):
            source = volumes[mount["name"]]
            below = mount.get("subPath") or mount.get("subPathExpr", "").strip("$()").lower()
            if below:
                is_file = source.startswith("/")
                source = str((Path(source) / below).resolve()) if is_file else self._memory(f"{source}-{below}", group)
            words += ["--volume", f"{source}:{mount['mountPath']}{':ro' if mount.get('readOnly') else ''}"]
        command = container.get("command", [])
        words += ["--entrypoint", command[0]] if command else []
        self._engine.docker(
            *("run", "--detach" if stays else "--rm", "--name", name, "--network", f"container:{self._holder}"),
            *(*words, container["image"], *command[1:], *container.get("args", [])),
        )
        if stays:
            self._containers.append(name)

    def passes(self, name: str, probe: Sequence[str]) -> None:
        """Wait until this command succeeds in a container. Raises AssertionError."""
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                self.inside(name, *probe)
            except EngineFault:
                assert time.monotonic() < end, f"{name} never passed its startup probe\n{self.logs()}"
                time.sleep(1)
            else:
                return

    def _memory(self, name: str, group: int) -> str:
        options = ("--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", f"o=mode=2777,gid={group}")
        if name not in self._volumes:
            self._engine.docker("volume", "create", "--driver", "local", *options, name)
            self._volumes.append(name)
        return name

    def _projected(self, name: str, files: Mapping[str, bytes], mode: int, group: int) -> str:
        """Files as a kubelet has them: links through `..data` to a folder of the day, of root and the pod's group."""
        folder = self._folder / name
        real = folder / "..2026_01_01"
        real.mkdir(parents=True)
        (folder / "..data").symlink_to(real.name)
        for file, content in files.items():
            (real / file).write_bytes(content)
            (real / file).chmod(mode)
            os.chown(real / file, 0, group)
            (folder / file).symlink_to(f"..data/{file}")
        return str(folder)
