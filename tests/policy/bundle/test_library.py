"""The Rego library as it travels in bundles."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.policy.bundle.library import rego_library


def test_the_library_is_every_file_of_rego_but_its_tests() -> None:
    folder = Path(__file__).resolve().parents[3] / "rego"
    assert rego_library() == {
        path.name: path.read_text("utf-8") for path in folder.glob("*.rego") if not path.name.endswith("_test.rego")
    }
    assert "answer.rego" in rego_library()


def test_the_library_judges_by_functions_and_never_with_with() -> None:
    for name, text in rego_library().items():
        code = [line.split("#")[0] for line in text.splitlines()]
        assert not any(" with " in line for line in code), name
