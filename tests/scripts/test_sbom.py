"""scripts/sbom: every package that an image holds, and the job that publishes it with the image."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclonedx.model.bom import Bom

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "sbom"
WORKFLOW = (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
LOCKS = {"aegis": "image.txt", "aegis-envoy": "envoy.txt", "aegis-init": "operator.txt"}


def written(image: str) -> str:
    return subprocess.run([sys.executable, str(SCRIPT), image], capture_output=True, text=True, check=True).stdout


def jobs() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(WORKFLOW)["jobs"]
    return read


@pytest.mark.parametrize("image", LOCKS)
def test_it_is_a_bill_of_cyclonedx_and_the_same_each_time(image: str) -> None:
    text = written(image)
    assert written(image) == text
    bill = Bom.from_json(json.loads(text))  # type: ignore[attr-defined]  # given by a decorator
    assert bill.metadata.component.name == image
    assert len(bill.components) == len(json.loads(text)["components"])


@pytest.mark.parametrize(("image", "lock"), LOCKS.items())
def test_it_names_what_the_image_is_installed_from_with_its_hashes(image: str, lock: str) -> None:
    file = f"deploy/images/{image.removeprefix('aegis-')}.Dockerfile"
    assert f"requirements/{lock}" in (ROOT / file).read_text("utf-8")
    locked = (ROOT / "requirements" / lock).read_text("utf-8")
    pins = re.findall(r"(?m)^([a-z0-9._-]+)==([^ \\]+)(?: ; (.*?))? ?\\?$", locked)
    elsewhere = {name for name, _, marker in pins if re.search(r"win32|emscripten'$|< '3\.11\.3'", marker)}
    parts = json.loads(written(image))["components"]
    named = {part["name"]: part for part in parts}
    assert {name for name, _, _ in pins} - set(named) <= elsewhere
    assert set(named) <= {name for name, _, _ in pins}
    for name, version, _ in pins:
        if name in named:
            assert named[name]["purl"] == f"pkg:pypi/{name}@{version}"
            assert all(digest["content"] in locked for digest in named[name]["externalReferences"][0]["hashes"])
    assert not {"pywin32", "colorama"} & set(named)


def test_another_word_is_none_of_the_images() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "redis"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_every_action_of_the_release_is_pinned_to_a_commit() -> None:
    uses = re.findall(r"uses: (\S+)", WORKFLOW)
    assert uses and all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action) for action in uses)


def test_a_release_refuses_a_base_that_no_digest_names() -> None:
    [check] = [step["run"] for step in jobs()["images"]["steps"] if step.get("name", "").startswith("Refuse a base")]
    for base, code in ((f"debian@sha256:{'a' * 64}", 0), ("debian:bookworm-slim", 1), ("", 1), ("debian@sha256:ab", 1)):
        done = subprocess.run(["/bin/sh", "-c", check], env={"BASE": base}, capture_output=True, check=False)
        assert done.returncode == code, base


def test_a_release_says_what_is_in_each_image_and_where_it_was_built_and_may_nothing_else() -> None:
    assert yaml.safe_load(WORKFLOW)["permissions"] == {}
    images = jobs()["images"]
    assert images["strategy"]["matrix"]["image"] == list(LOCKS)
    assert images["permissions"] == {
        "contents": "read",
        "packages": "write",
        "id-token": "write",
        "attestations": "write",
    }
    digests = [step["with"]["subject-digest"] for step in images["steps"] if "attest-" in step.get("uses", "")]
    assert digests == ["${{ steps.publish.outputs.digest }}"] * 2
