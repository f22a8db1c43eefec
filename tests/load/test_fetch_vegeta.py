from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from aegis_authz.load import fetch_vegeta as module
from aegis_authz.load.fetch_vegeta import MODULE, VERSION, VegetaMissing, cached_vegeta, find_vegeta
from aegis_authz.local import program_cache

VEGETA = "#!/bin/sh\necho '  -max-workers uint' >&2\n"
GO = """#!/bin/sh
echo "$@" >> "$0.calls"
test "$GOOS$GOARCH" = "" || exit 3
printf '%s\\n' '#!/bin/sh' "echo '  -max-workers uint'" > "$GOBIN/vegeta"
chmod +x "$GOBIN/vegeta"
"""


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty cache, no vegeta and no Go; gives the folder that is its PATH."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("AEGIS_VEGETA", raising=False)
    monkeypatch.setattr(program_cache, "_GO_OFF_PATH", tmp_path / "no-go")
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(shutil, "which", lambda name: _which(tmp_path / "bin" / name))
    return tmp_path / "bin"


def _which(path: Path) -> str | None:
    return str(path) if path.exists() else None


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def quiet(line: str) -> None:
    """Progress nobody reads."""


def test_without_go_it_says_which_commands_get_it() -> None:
    with pytest.raises(VegetaMissing, match=f"go install {MODULE}@v{VERSION}") as missing:
        find_vegeta(quiet)
    assert "AEGIS_VEGETA" in str(missing.value)


def test_the_one_named_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = program(tmp_path / "mine", VEGETA)
    monkeypatch.setenv("AEGIS_VEGETA", str(named))
    assert find_vegeta(quiet) == named


@pytest.mark.parametrize(("text", "why"), [(None, "not an executable file"), ("#!/bin/sh\n", "not a vegeta")])
def test_one_named_that_does_not_fit_is_never_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare: Path, text: str | None, why: str
) -> None:
    program(bare / "vegeta", VEGETA)
    if text is not None:
        program(tmp_path / "mine", text)
    monkeypatch.setenv("AEGIS_VEGETA", str(tmp_path / "mine"))
    with pytest.raises(VegetaMissing, match=why):
        find_vegeta(quiet)


def test_one_on_path_is_used_when_it_fits(bare: Path) -> None:
    found = program(bare / "vegeta", VEGETA)
    assert find_vegeta(quiet) == found


def test_else_it_is_built_once_into_the_cache(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOS", "plan9")
    program(bare / "vegeta", "#!/bin/sh\n")
    go = program(bare / "go", GO)
    said: list[str] = []
    assert find_vegeta(said.append) == find_vegeta(said.append) == cached_vegeta()
    (command,) = go.with_name("go.calls").read_text().splitlines()
    assert command.endswith(f"{MODULE}@v{VERSION}")
    assert said == [f"building vegeta {VERSION} with Go, about a minute"]
    assert [path.name for path in cached_vegeta().parent.iterdir() if path.name != ".lock"] == ["vegeta"]


def test_two_at_once_build_it_once(bare: Path) -> None:
    go = program(bare / "go", GO)
    threads = [threading.Thread(target=find_vegeta, args=(quiet,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(go.with_name("go.calls").read_text().splitlines()) == 1


def test_why_it_cannot_be_built_is_told_and_nothing_is_left(bare: Path) -> None:
    program(bare / "go", "#!/bin/sh\necho downloading >&2\necho 'no route to host' >&2\nexit 1\n")
    with pytest.raises(VegetaMissing, match="no route to host"):
        find_vegeta(quiet)
    assert [path.name for path in cached_vegeta().parent.iterdir()] == [".lock"]


def test_what_go_built_is_tried_before_it_is_kept(bare: Path) -> None:
    program(bare / "go", GO.replace("max-workers", "nothing"))
    with pytest.raises(VegetaMissing, match="what Go built is not a vegeta"):
        find_vegeta(quiet)
    assert not cached_vegeta().exists()


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    module.say_on_stderr("building")
    assert capsys.readouterr() == ("", "[vegeta] building\n")
