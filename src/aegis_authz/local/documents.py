"""The documents that come with Aegis: the examples, rules and dashboards, and those of `aegis doctor`, laid out."""

from __future__ import annotations

from pathlib import Path

_PACKAGED = Path(__file__).resolve().parents[1] / "_policies"
_CHECKOUT = Path(__file__).resolve().parents[3] / "policies"
_PACKAGED_SIGMA = _PACKAGED.with_name("_sigma")
_PACKAGED_DASHBOARDS = _PACKAGED.with_name("_dashboards")
_PACKAGED_RULES = _PACKAGED.with_name("_rules")
_PROBE = Path(__file__).with_name("probe")


def example_documents() -> Path:
    """The folder with `agents/` and `tools/`: in the package, or in the checkout it runs from."""
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def sigma_folder() -> Path:
    """The folder of Sigma rules, with what they are compiled to: in the package, or in the checkout it runs from."""
    return _PACKAGED_SIGMA if _PACKAGED_SIGMA.is_dir() else _CHECKOUT.parent / "deploy" / "sigma"


def dashboard_folder() -> Path:
    """The folder of Grafana's dashboards: in the package, or in the checkout it runs from."""
    return _PACKAGED_DASHBOARDS if _PACKAGED_DASHBOARDS.is_dir() else _CHECKOUT.parent / "deploy/grafana/dashboards"


def prometheus_rules() -> Path:
    """The folder of Prometheus' rules: in the package, or in the checkout it runs from."""
    return _PACKAGED_RULES if _PACKAGED_RULES.is_dir() else _CHECKOUT.parent / "deploy" / "prometheus" / "rules"


def lay_out_probe(folder: Path, port: int) -> None:
    """Write the doctor's policy and tool into `folder`, its echo at `port`. Raises OSError."""
    for kind in ("policies", "tools"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        text = (_PROBE / kind / "doctor.yaml").read_text("utf-8")
        (folder / kind / "doctor.yaml").write_text(text.replace("{port}", str(port)), "utf-8")
