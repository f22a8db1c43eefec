"""`aegis policy lint`: what is allowed in a policy set and yet most likely not meant."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import AsJson
from aegis_authz.cli.policy.document_folders import OptionalMesh, Policies, Tools, document_folders

COMMAND = "policy lint"


def lint(
    policies: Policies = None,
    tools: Tools = None,
    state: OptionalMesh = None,
    channels: Annotated[
        Path | None,
        typer.Option(
            "--channels",
            help="The settings of channels, as `aegis up --channels` takes them: a place they do not have is an error.",
            dir_okay=False,
        ),
    ] = None,
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on any finding, notes too.")] = False,
) -> None:
    """Show what is valid and most likely not meant. Exits with 1 when there is an error, 2 when it cannot look.

    A comment `# aegis: allow CODE` on the line, or on the line above, silences a code there.

    Example: aegis policy lint --policies policies/agents --tools policies/tools
    """
    from aegis_authz.cli.policy.lint_text import findings_json, findings_text
    from aegis_authz.commands.documents import documents_from_here, uncollected
    from aegis_authz.commands.mesh import channels_of_file
    from aegis_authz.config.channels import places_of
    from aegis_authz.policy.lint.run import linted
    from aegis_authz.redact.detectors.table import DETECTORS

    with exits_on_faults(COMMAND):
        policies, tools = document_folders(COMMAND, policies, tools, state)
        sources = documents_from_here(policies, tools)
        places = None if channels is None else places_of(channels_of_file(channels))
    with uncollected():
        findings = linted(sources.policies, sources.tools, DETECTORS, datetime.now(UTC), places)
    typer.echo(findings_json(findings) if as_json else findings_text(findings))
    if any(strict or finding.severity == "error" for finding in findings):
        raise typer.Exit(REFUSED)
