"""The modules of Terraform: what they render is what the chart takes, and for each set of values that of the golden
renders. All but release.tf, which speaks to a cluster, is validated and tested without a provider.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.deploy.conftest import CHART, HERE, SETS

SOURCE = HERE.parents[1] / "deploy" / "terraform"
MODULES = sorted(path.name for path in (SOURCE / "modules").iterdir())
ROOTS = ["modules/aegis", *sorted(f"examples/{path.name}" for path in (SOURCE / "examples").iterdir())]
"""What needs providers of a registry."""
SCHEMA = json.loads((CHART / "values.schema.json").read_text("utf-8"))
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
FREE = ("global",)
"""What Helm has for itself."""

Json = dict[str, Any]


def run(terraform: str, folder: Path, *words: str, settings: str = os.devnull) -> subprocess.CompletedProcess[str]:
    """Terraform in a folder, without the settings of whoever runs this."""
    quiet = {"TF_CLI_CONFIG_FILE": settings, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")} | quiet
    command = [terraform, *words, *(["-no-color"] if words[0] != "fmt" else [])]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def terraform() -> str:
    """Terraform's command, named by AEGIS_TERRAFORM or on PATH; without it the test is skipped, loudly."""
    path = os.environ.get("AEGIS_TERRAFORM") or shutil.which("terraform")
    if path is None:
        pytest.skip("NO TERRAFORM: put it on PATH or name it by AEGIS_TERRAFORM (1.9 or newer)")
    return path


@pytest.fixture(scope="module")
def modules(terraform: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The modules without what needs a provider, initialized, and beside them the example that no cloud is part of."""
    folder = tmp_path_factory.mktemp("terraform")
    apart = shutil.ignore_patterns(".terraform*", "*.tfstate*", "release.tf", "providers.tf", "aws", "gcp", "azure")
    shutil.copytree(SOURCE, folder, ignore=apart, dirs_exist_ok=True)
    for module in (*(folder / "modules").iterdir(), folder / "examples" / "neutral"):
        outcome = run(terraform, module, "init", "-backend=false")
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return folder / "modules"


def outputs(terraform: str, module: Path, variables: Path, state: Path) -> Json:
    applied = run(terraform, module, "apply", "-auto-approve", f"-var-file={variables}", f"-state={state}")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    shown = run(terraform, module, "output", "-json", f"-state={state}")
    return {name: entry["value"] for name, entry in json.loads(shown.stdout).items()}


def merged(values: Json, more: Mapping[str, Any]) -> Json:
    """Values over values, as Helm lays them."""
    whole = dict(values)
    for word, value in more.items():
        below = whole.get(word)
        whole[word] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return whole


def words_of(schema: Json, path: str = "") -> Iterator[str]:
    """Every word that the chart's schema has, as a path."""
    for word, below in schema.get("properties", {}).items():
        yield f"{path}.{word}"
        yield from words_of(below, f"{path}.{word}")
    if "items" in schema:
        yield from words_of(schema["items"], path)
    for choice in schema.get("oneOf", ()):
        yield from words_of(choice, path)


def paths_of(values: object, path: str = "") -> Iterator[str]:
    match values:
        case dict():
            for word, below in values.items():
                yield f"{path}.{word}"
                yield from paths_of(below, f"{path}.{word}")
        case list():
            for below in values:
                yield from paths_of(below, path)


def test_its_files_are_formatted(terraform: str) -> None:
    outcome = run(terraform, SOURCE, "fmt", "-check", "-recursive", "-diff")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_valid_and_passes_its_own_tests(terraform: str, modules: Path, name: str) -> None:
    for words in (("validate",), ("test",)):
        outcome = run(terraform, modules / name, *words)
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert " 0 passed" not in outcome.stdout
    assert " passed, 0 failed" in outcome.stdout


def test_the_root_that_no_cloud_is_part_of_gives_its_modules_what_they_take(terraform: str, modules: Path) -> None:
    outcome = run(terraform, modules.parent / "examples" / "neutral", "validate")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("name", SETS)
def test_the_values_are_those_of_the_golden_render(terraform: str, modules: Path, name: str, tmp_path: Path) -> None:
    variables = HERE / "terraform" / f"{name}.tfvars.json"
    values = yaml.safe_load(outputs(terraform, modules / "values", variables, tmp_path / "state")["yaml"])
    jsonschema.validate(values, SCHEMA)
    golden = yaml.safe_load((HERE / "values" / f"{name}.yaml").read_text("utf-8"))
    assert merged(DEFAULTS, values) == merged(DEFAULTS, golden)


def test_every_word_of_the_chart_can_be_said(terraform: str, modules: Path, tmp_path: Path) -> None:
    variables = HERE / "terraform" / "everything.tfvars.json"
    values = outputs(terraform, modules / "values", variables, tmp_path / "state")["values"]
    jsonschema.validate(values, SCHEMA)
    every = {word for word in words_of(SCHEMA) if not word.startswith(tuple(f".{name}" for name in FREE))}
    assert len(every) > 80
    assert every - set(paths_of(values)) == set()


def test_the_module_that_installs_passes_every_word_on(terraform: str, modules: Path, tmp_path: Path) -> None:
    variables = HERE / "terraform" / "everything.tfvars.json"
    whole = tmp_path / "whole.tfvars.json"
    whole.write_text(json.dumps({"values": json.loads(variables.read_text("utf-8"))}), "utf-8")
    text = outputs(terraform, modules / "aegis", whole, tmp_path / "whole")["values"]
    assert yaml.safe_load(text) == outputs(terraform, modules / "values", variables, tmp_path / "state")["values"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_helm_makes_the_golden_render_of_them(
    terraform: str, modules: Path, helm: str, name: str, tmp_path: Path
) -> None:
    variables = HERE / "terraform" / f"{name}.tfvars.json"
    (tmp_path / "values.yaml").write_text(
        outputs(terraform, modules / "values", variables, tmp_path / "state")["yaml"], "utf-8"
    )
    cluster = ("--kube-version", "1.36", "--api-versions", "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy")
    command = [helm, "template", "aegis", str(CHART), "--namespace", "mesh", *cluster, "-f", "values.yaml"]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert outcome.stderr == ""
    assert outcome.stdout == (HERE / "renders" / f"{name}.yaml").read_text("utf-8")


@pytest.mark.slow
def test_helm_makes_the_namespaces_and_references_around_it(
    terraform: str, modules: Path, helm: str, tmp_path: Path
) -> None:
    variables = tmp_path / "small.tfvars.json"
    values = {"redis": {"bundled": True}, "network_policy": {"agents": ["shop"]}}
    variables.write_text(json.dumps({"values": values, "secret_store": {"name": "vault"}}), "utf-8")
    text = outputs(terraform, modules / "aegis", variables, tmp_path / "state")["surroundings"]
    (tmp_path / "values.yaml").write_text(text, "utf-8")
    command = [helm, "template", "around", str(modules / "aegis" / "surroundings"), "-f", "values.yaml"]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert outcome.stderr == ""
    objects = [entry for entry in yaml.safe_load_all(outcome.stdout) if entry]
    assert sorted(objects, key=json.dumps) == sorted(yaml.safe_load(text)["manifests"], key=json.dumps)


@pytest.mark.slow
@pytest.mark.parametrize("name", ROOTS)
def test_it_is_valid_for_the_providers_of_today(terraform: str, name: str, tmp_path: Path) -> None:
    tree = tmp_path / "terraform"
    shutil.copytree(SOURCE, tree, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    settings = os.environ.get("TF_CLI_CONFIG_FILE", os.devnull)  # a mirror of providers is named there
    begun = run(terraform, tree / name, "init", "-backend=false", settings=settings)
    if "Failed to query available provider packages" in begun.stderr:
        pytest.skip("NO PROVIDERS: needs a registry of Terraform, or a mirror of it that TF_CLI_CONFIG_FILE names")
    assert begun.returncode == 0, begun.stdout + begun.stderr
    outcome = run(terraform, tree / name, "validate", settings=settings)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
