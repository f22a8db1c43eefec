"""Compile deploy/sigma to what runs them: Splunk's saved searches, ES|QL of Elastic, alerts of Prometheus, SQL.

Usage: make sigma ARGS=[FOLDER]; FOLDER is deploy/sigma/compiled. `prometheus.yaml` has the rules whose `aegis_promql`
says what to ask of the metrics; `sqlite.json` has a query for each rule, over a table `logs` of exported events.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from sigma.backends.elasticsearch import ESQLBackend
from sigma.backends.splunk import SplunkBackend
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaRule

SIGMA = Path(__file__).resolve().parents[1] / "deploy" / "sigma"
_HEAD = "# Compiled from deploy/sigma by `make sigma`; not to be edited.\n"
Rule = SigmaRule | SigmaCorrelationRule


def collections(folder: Path = SIGMA) -> dict[str, SigmaCollection]:
    """The rules of each file, by its name without its end."""
    return {path.stem: SigmaCollection.from_yaml(path.read_text("utf-8")) for path in sorted(folder.glob("*.yml"))}


def alerting(collection: SigmaCollection) -> Rule:
    """The rule of a file that alerts: the last, which counts the others."""
    rule = collection.rules[-1]
    if not isinstance(rule, SigmaRule | SigmaCorrelationRule):
        raise TypeError(f"{rule!r} is no rule")
    return rule


def splunk(collections: dict[str, SigmaCollection]) -> str:
    """Saved searches for `savedsearches.conf`; `index` and schedule are whoever installs them to say."""
    stanzas = []
    for name, collection in collections.items():
        query = SplunkBackend().convert(collection)[-1]
        text = " \\\n".join(line for line in query.splitlines() if line.strip())
        stanzas.append(
            f"[Aegis - {alerting(collection).title}]\n# {name}.yml\ncron_schedule = */5 * * * *\n"
            f"dispatch.earliest_time = -6m\nenableSched = 1\nalert.track = 1\n"
            f"search = sourcetype=aegis:event {text}\n"
        )
    return _HEAD + "\n" + "\n".join(stanzas)


def elastic(collections: dict[str, SigmaCollection]) -> str:
    """One ES|QL query after the other, each behind the title of its rule; fields are those of `--format json`."""
    queries = []
    for name, collection in collections.items():
        query = ESQLBackend().convert(collection)[-1].strip()
        queries.append(f"// {name}.yml: {alerting(collection).title}\n{query}\n")
    return _HEAD.replace("#", "//") + "\n" + "\n".join(queries)


def prometheus(collections: dict[str, SigmaCollection]) -> str:
    """A rule file of alerts."""
    alerts = [
        {
            "alert": "Aegis" + "".join(word.capitalize() for word in name.split("-")),
            "expr": rule.custom_attributes["aegis_promql"],
            "labels": {"severity": str(rule.level).lower(), "source": "aegis-sigma"},
            "annotations": {"summary": rule.title, "description": rule.description},
        }
        for name, rule in _measured(collections)
    ]
    groups = {"groups": [{"name": "aegis-security", "rules": alerts}]}
    return _HEAD + yaml.safe_dump(groups, sort_keys=False, width=200)


def _measured(collections: dict[str, SigmaCollection]) -> Iterator[tuple[str, Rule]]:
    for name, collection in collections.items():
        rule = alerting(collection)
        if "aegis_promql" in rule.custom_attributes:
            yield name, rule


def sqlite(collections: dict[str, SigmaCollection]) -> str:
    """A JSON object: of each rule its query."""
    queries = {
        name: sqliteBackend(timestamp_field="@timestamp").convert(collection)[-1]
        for name, collection in collections.items()
    }
    return json.dumps(queries, indent=1) + "\n"


def compiled() -> dict[str, str]:
    """Every file's name and text."""
    rules = collections()
    return {
        "splunk.conf": splunk(rules),
        "elastic.esql": elastic(rules),
        "prometheus.yaml": prometheus(rules),
        "sqlite.json": sqlite(rules),
    }


def main() -> None:
    """Write the files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SIGMA / "compiled"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in compiled().items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
