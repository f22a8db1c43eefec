"""The documents of `aegis doctor`, laid out for one mesh."""

from __future__ import annotations

from pathlib import Path

_TEMPLATES = Path(__file__).with_name("probe")


def lay_out_probe(folder: Path, port: int) -> None:
    """Write the doctor's policy and tool into `folder`, its echo at `port`. Raises OSError."""
    for kind in ("policies", "tools"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        text = (_TEMPLATES / kind / "doctor.yaml").read_text("utf-8")
        (folder / kind / "doctor.yaml").write_text(text.replace("{port}", str(port)), "utf-8")
