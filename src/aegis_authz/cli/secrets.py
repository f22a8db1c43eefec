"""`aegis init`: the secrets of a mesh whose processes are started one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults


def init(
    out: Annotated[Path, typer.Option("--out", help="Folder to write into, made if missing.", file_okay=False)],
    redis: Annotated[
        str, typer.Option("--redis", help="Where processes reach Redis, host:port or an URL.")
    ] = "redis:6379",
    control: Annotated[str, typer.Option("--control", help="Where OPA reaches the control plane.")] = (
        "http://control:7400"
    ),
    opa_token: Annotated[Path, typer.Option("--opa-token", help="Where OPA finds its token on its own disk.")] = Path(
        "/run/secrets/opa.token"
    ),
    control_ca: Annotated[
        Path | None,
        typer.Option("--control-ca", help="Where OPA finds what verifies the control plane's TLS, on its own disk."),
    ] = None,
    postgres: Annotated[
        str, typer.Option("--postgres", help="Where the control plane reaches PostgreSQL, host:port; none without it.")
    ] = "",
    for_images: Annotated[
        bool, typer.Option("--for-images", help="Give each folder to the user of the images that reads it (as root).")
    ] = False,
) -> None:
    """Make the keys, tokens and passwords of a mesh once, in a folder for each process; none is ever replaced.

    Each process is given its own folder and no other. For containers, pods and units; `aegis up` makes its own.

    --redis is also the URL of a cluster or of Sentinels, without user and password: cluster://a:6379,b:6379.

    Example: aegis init --out secrets --redis redis.example:6379 --control http://control.example:7400
    """
    from aegis_authz.commands.secrets import MeshAddresses, make_mesh_secrets

    with exits_on_faults("init"):
        addresses = MeshAddresses(redis, control, opa_token, control_ca)
        files = make_mesh_secrets(out, addresses, for_images=for_images, postgres=postgres)
    for path in files:
        typer.echo(f"made {path}")
    typer.echo(f"{out}: {len(files)} new files" if files else f"{out}: all there, nothing new", err=True)
