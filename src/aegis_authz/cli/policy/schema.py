"""`aegis policy schema`: the JSON Schema of documents, for editors."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import unusable


class Kind(StrEnum):
    """What a schema is of."""

    ANY = "any"
    POLICY = "policy"
    TOOL = "tool"
    TEST = "test"


_CONTENTS = {
    Kind.ANY: "policies, tools and tests",
    Kind.POLICY: "policies",
    Kind.TOOL: "tools",
    Kind.TEST: "policy tests",
}


def schema(
    kind: Annotated[
        Kind,
        typer.Option("--kind", help="policy: policies, templates, definitions; tool: catalogues; test: tests."),
    ] = Kind.ANY,
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file.")] = None,
) -> None:
    """Print the JSON Schema (2020-12) with which editors complete and check documents; see docs/editors.md.

    It knows the shape of documents; only `aegis policy validate` knows whether they fit together.

    Example: aegis policy schema --out .vscode/aegis.schema.json
    """
    from aegis_authz.lab.case_schema import any_schema, case_schema
    from aegis_authz.policy.editor.schema import policy_schema, tool_schema

    makers = {Kind.ANY: any_schema, Kind.POLICY: policy_schema, Kind.TOOL: tool_schema, Kind.TEST: case_schema}
    text = json.dumps(makers[kind](), indent=2, ensure_ascii=False)
    if out is None:
        typer.echo(text)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(f"{text}\n", encoding="utf-8")
    except OSError as fault:
        raise unusable("policy schema", str(fault)) from None
    typer.echo(f"{out}: the schema of {_CONTENTS[kind]}")
