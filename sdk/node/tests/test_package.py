"""The package: its own tests, and what would be published."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path

import pytest

from scripts.dist import WrongContents, require_node_contents
from sdk.node.tests.conftest import SDK, run

pytestmark = pytest.mark.slow


def test_its_own_tests_pass(built: Path) -> None:
    files = sorted(str(path) for path in (built / "tests").glob("*.test.mjs"))
    printed = run(["node", "--test", "--test-reporter=tap", *files], built)
    assert "# fail 0" in printed
    passed = re.search(r"^# pass (\d+)$", printed, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) >= sum(Path(path).read_text("utf-8").count("\ntest(") for path in files) > 25


def test_what_is_published_needs_nothing_and_holds_its_types(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = set(archive.getnames())
        manifest = json.load(archive.extractfile("package/package.json"))  # type: ignore[arg-type]  # it is a file
    assert {"package/dist/index.js", "package/dist/index.d.ts", "package/README.md"} <= names
    assert "dependencies" not in manifest
    assert {name for name, meta in manifest["peerDependenciesMeta"].items() if meta["optional"]} == set(
        manifest["peerDependencies"]
    )
    assert {f"package/{path[2:]}" for export in manifest["exports"].values() for path in export.values()} <= names


def test_a_package_with_a_file_that_is_not_ours_is_not_published(tarball: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / tarball.name
    with tarfile.open(tarball) as source, tarfile.open(spoilt, "w:gz") as copy:
        for member in source:
            if member.name != "package/dist/key.js":
                copy.addfile(member, source.extractfile(member))
        copy.addfile(tarfile.TarInfo("package/key.pem"))
    with pytest.raises(WrongContents, match=r"missing \['dist/key.js'\], not ours \['key.pem'\]"):
        require_node_contents(spoilt)


def test_the_lock_names_no_registry() -> None:
    lock = (SDK / "package-lock.json").read_text("utf-8")
    assert "resolved" not in lock
    assert "://" not in lock


def test_files_are_short() -> None:
    assert [path.name for path in (SDK / "src").glob("*.ts") if len(path.read_text("utf-8").splitlines()) > 400] == []
