"""The first files of a policy folder do what their tests say, whatever they are named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from aegis_authz.commands.lab import bench_of
from aegis_authz.lab.case_schema import any_schema
from aegis_authz.lab.cases import Case, cases_of
from aegis_authz.lab.coverage import coverage_of, percent_of
from aegis_authz.lab.starter import Names, ToolKind, faults, starter_files
from aegis_authz.lab.trial import tried
from aegis_authz.policy.format.formatting import formatted
from aegis_authz.policy.language.rule import Redaction
from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.reader import read_source
from aegis_authz.redact.detectors.table import DETECTORS

NAMES = Names("acme", "emea", "payments-agent", "payments", "payments.example", ToolKind.HTTP)
MISREAD = Names("2024", "on", "010", "1e3", "10:30", ToolKind.MCP)
"""Names the language takes and YAML would read as something else."""
SHORT_AND_LONG = Names("a", "b", "c" * 63, "d", f"{'e' * 60}.example", ToolKind.HTTP)
EVERY = pytest.mark.parametrize(
    "names", [NAMES, replace(NAMES, kind=ToolKind.MCP), MISREAD, SHORT_AND_LONG], ids=["http", "mcp", "misread", "long"]
)


def _loaded(names: Names) -> tuple[Loaded, list[Case]]:
    texts = starter_files(names, ())
    tests = {path: text for path, text in texts.items() if path.endswith("_test.yaml")}
    policies = {path: text for path, text in texts.items() if path.startswith("agents/") and path not in tests}
    tools = {path: text for path, text in texts.items() if path.startswith("tools/")}
    loaded = load(policies, tools, DETECTORS)
    return loaded, cases_of(tests, loaded)


@EVERY
def test_its_tests_pass_and_try_everything(names: Names) -> None:
    loaded, cases = _loaded(names)
    with bench_of(loaded, plays_sequences=True) as bench:
        assert [one.case.name for one in tried(bench, cases) if not one.passed] == []
        covered = coverage_of(loaded.loaded_policies, bench.explain([case.call for case in cases]))
        assert percent_of(covered) == 100.0


@EVERY
def test_it_is_about_what_was_named(names: Names) -> None:
    loaded, _ = _loaded(names)
    (policy,) = loaded.policies
    (tool,) = loaded.tools
    assert policy.scope == f"{names.org}/{names.tenant}/{names.agent}"
    assert (tool.name, tool.is_mcp) == (names.tool, names.kind is ToolKind.MCP)
    assert f"{tool.host}:{tool.port}" if tool.port else tool.host == names.host


@EVERY
def test_it_stands_in_the_one_layout(names: Names) -> None:
    texts = {path: text for path, text in starter_files(names, ()).items() if path.endswith(".yaml")}
    assert {path: formatted(path, text) for path, text in texts.items()} == texts


def test_everything_that_can_be_detected_is_redacted_in_both_directions() -> None:
    loaded, _ = _loaded(NAMES)
    pays, looks = loaded.policies[0].allowed_tools
    everything = Redaction(detectors=tuple(DETECTORS))
    assert pays.sanitize is not None
    assert looks.sanitize is not None
    assert (pays.sanitize.request, pays.sanitize.response) == (everything, everything)
    assert looks.sanitize.response == everything


def test_the_readme_says_what_to_run_next() -> None:
    readme = starter_files(NAMES, ("aegis policy validate",))["README.md"]
    assert "\naegis policy validate\n" in readme
    assert "`agents/payments-agent.yaml`" in readme
    assert "${" not in readme


@pytest.mark.parametrize(
    ("field", "name", "said"),
    [
        (
            "agent",
            "Bad Name",
            "must be lower-case letters and digits, with . _ - between them, at most 63, not the text",
        ),
        ("org", "*", "must be lower-case letters and digits"),
        ("tenant", "", "must be lower-case letters and digits"),
        ("tool", "pay\t", "must be lower-case letters and digits"),
        ("host", "https://a.example/", "port"),
        ("host", "a_b!", "'a_b!' is not a host name (no scheme, port or path)"),
        ("host", "a.example:0", "has no port between 1 and 65535"),
        ("agent", "unit_test", "must not end in _test; unit_test.yaml would be read as tests"),
        ("tool", "unit_test", "must not end in _test"),
    ],
)
def test_a_name_the_language_does_not_take_is_said_to_be_one(field: str, name: str, said: str) -> None:
    ((at, message),) = faults({field: name})
    assert at == field
    assert said in message


def test_names_the_language_takes_are_fine() -> None:
    assert [*faults({"org": "acme", "agent": "a.b_c-d", "tool": "1", "host": "a.example:8443"})] == []
    assert [*faults({"org": "my_test"})] == []  # no file is named after it


@EVERY
def test_editors_find_nothing_wrong_with_it(names: Names) -> None:
    editor = Draft202012Validator(any_schema())
    for path, text in starter_files(names, ()).items():
        if path.endswith(".yaml"):
            assert [*editor.iter_errors(read_source(path, text)[0][0].value)] == []
