"""Plays rendered pods on a Docker engine: each container with the user, rights, mounts and words that its pod gives it,
all of them in one network namespace, with Secrets and ConfigMaps as a kubelet projects them.

What a kubelet does beyond that (probes in time, order of init containers, restarts) is not played.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.container_engine import Engine

_HOLDER = "pods"
_PLACE = "127.0.0.2"  # not 127.0.0.1, which a hosts file joins with ::1


class PodPlayer:
    """Pods of one namespace of network. `names` are those by which they find each other."""

    def __init__(self, engine: Engine, folder: Path, names: Sequence[str], holder_image: str) -> None:
        self._engine = engine
        self._folder = folder
        self._containers = [_HOLDER]
        self._volumes: list[str] = []
        hosts = [word for name in names for word in ("--add-host", f"{name}:{_PLACE}")]
        engine.docker("run", "--detach", "--name", _HOLDER, "--network", "none", *hosts, holder_image, "sleep", "3600")

    def play(self, part: str, owner: Mapping[str, Any], settings: Mapping[str, dict[str, str]], secrets: Path) -> None:
        """Start the pod of a Deployment or StatefulSet. `settings` are ConfigMaps by name, `secrets` the folders of
        `aegis init`.
        """
        spec = owner["spec"]["template"]["spec"]
        group = spec["securityContext"]["fsGroup"]
        claims = [
            {"name": claim["metadata"]["name"], "emptyDir": {}}
            for claim in owner["spec"].get("volumeClaimTemplates", [])
        ]
        volumes: dict[str, str] = {}
        for volume in [*spec["volumes"], *claims]:
            name = f"{part}-{volume['name']}"
            if "secret" in volume:
                folder = secrets / volume["secret"]["secretName"].removeprefix("aegis-")
                files = {path.name: path.read_bytes() for path in folder.iterdir()}
                volumes[volume["name"]] = self._projected(name, files, volume["secret"]["defaultMode"], group)
            elif "configMap" in volume:
                texts = settings[volume["configMap"]["name"]]
                files = {file: text.encode() for file, text in texts.items()}
                volumes[volume["name"]] = self._projected(name, files, 0o644, group)
            else:
                volumes[volume["name"]] = self._memory(name, group)
        for container in spec["containers"]:
            self._run(f"{part}-{container['name']}", container, spec["securityContext"], volumes, group)

    def inside(self, container: str, *command: str) -> str:
        """Run a command in a container. Raises EngineFault."""
        return self._engine.docker("exec", container, *command)

    def outside(self, *command: str) -> str:
        """Run a command in the network namespace of the pods, in none of them. Raises EngineFault."""
        return self._engine.docker("exec", _HOLDER, *command)

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
    ) -> None:
        rights = {**of_pod, **container["securityContext"]}
        memory = container["resources"]["limits"]["memory"].replace("Mi", "m")
        words = [
            "--user",
            f"{rights['runAsUser']}:{rights['runAsGroup']}",
            "--group-add",
            str(group),
            "--memory",
            memory,
        ]
        words += ["--read-only"] if rights["readOnlyRootFilesystem"] else []
        words += [word for dropped in rights["capabilities"]["drop"] for word in ("--cap-drop", dropped)]
        words += [] if rights["allowPrivilegeEscalation"] else ["--security-opt", "no-new-privileges"]
        for mount in container.get("volumeMounts", []):
            source = volumes[mount["name"]]
            if "subPath" in mount:
                is_file = source.startswith("/")
                source = (
                    str((Path(source) / mount["subPath"]).resolve())
                    if is_file
                    else self._memory(f"{source}-{mount['subPath']}", group)
                )
            words += ["--volume", f"{source}:{mount['mountPath']}{':ro' if mount.get('readOnly') else ''}"]
        command = container.get("command", [])
        words += ["--entrypoint", command[0]] if command else []
        self._engine.docker(
            *("run", "--detach", "--name", name, "--network", f"container:{_HOLDER}"),
            *(*words, container["image"], *command[1:], *container.get("args", [])),
        )
        self._containers.append(name)

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
