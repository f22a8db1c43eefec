"""deploy/fluent and deploy/vector: held to what their programs say they understand, and run where these are there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from aegis_authz.cli.app import app
from tests.support.exported_records import EVERY, write_log
from tests.support.shippers import fluentd_settings, running, shipper
from tests.support.siem_receivers import TOKEN, ElasticServer, OtlpServer, SplunkServer, http_serving

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SCHEMAS = Path(__file__).parent / "shipper_schemas"
FOLDERS = {
    "fluent-bit": DEPLOY / "fluent" / "fluent-bit",
    "fluentd": DEPLOY / "fluent" / "fluentd",
    "vector": DEPLOY / "vector",
}
FILES = [(program, path) for program, folder in FOLDERS.items() for path in sorted(folder.iterdir())]
NAMES = [f"{program}-{path.stem}" for program, path in FILES]
Receiver = SplunkServer | ElasticServer | OtlpServer
RECEIVERS: dict[str, Callable[[], Receiver]] = {
    "splunk": SplunkServer,
    "elasticsearch": ElasticServer,
    "otlp": OtlpServer,
}


def settings(path: Path) -> dict[str, Any]:
    text = path.read_text("utf-8")
    read: dict[str, Any] = fluentd_settings(text) if path.suffix == ".conf" else yaml.safe_load(text)
    return read


def faults(program: str, document: object) -> list[str]:
    schema = json.loads((SCHEMAS / f"{program}.json").read_text("utf-8"))
    return [f"{list(fault.path)}: {fault.message}" for fault in Draft202012Validator(schema).iter_errors(document)]


def misspelt(document: object) -> object:
    """The document with a letter too few in the name that stands deepest."""
    if isinstance(document, list):
        return [*document[:-1], misspelt(document[-1])]
    assert isinstance(document, dict)
    for name, value in document.items():
        if isinstance(value, dict) or (isinstance(value, list) and isinstance(value[-1], dict)):
            return {**document, name: misspelt(value)}
    *others, last = document
    return {**{name: document[name] for name in others}, last[:-1]: document[last]}


def test_each_program_has_a_file_for_each_receiver() -> None:
    for program, folder in FOLDERS.items():
        assert {path.stem for path in folder.iterdir()} == set(RECEIVERS), program


@pytest.mark.parametrize(("program", "path"), FILES, ids=NAMES)
def test_each_file_is_of_its_programs_schema_and_a_typing_error_would_not_be(program: str, path: Path) -> None:
    document = settings(path)
    assert faults(program, document) == []
    assert faults(program, misspelt(document)) != []


@pytest.mark.parametrize(("program", "path"), FILES, ids=NAMES)
def test_a_receiver_is_verified_and_none_that_is_away_costs_an_event(program: str, path: Path) -> None:
    text = path.read_text("utf-8")
    if program == "fluent-bit":
        [output] = settings(path)["pipeline"]["outputs"]
        assert (output["tls"], output["tls.verify"], output["retry_limit"]) == (True, True, "no_limits")
        [reader] = settings(path)["pipeline"]["inputs"]
        assert (reader["storage.type"], reader["db.sync"]) == ("filesystem", "full")
    elif program == "fluentd":
        buffer = settings(path)["match"]["buffer"]
        assert (buffer["@type"], buffer["retry_forever"], buffer["overflow_action"]) == ("file", "true", "block")
        assert "insecure" not in text and "ssl_verify false" not in text
    else:
        sink = settings(path)["sinks"]["siem"]
        assert (sink["buffer"]["type"], sink["buffer"]["when_full"]) == ("disk", "block")
        way = sink.get("protocol", sink)
        assert way["acknowledgements"]["enabled"] is way["tls"]["verify_certificate"] is True
        assert way["tls"]["verify_hostname"] is True and "https://" in text and "http://" not in text


@pytest.mark.parametrize("name", sorted(RECEIVERS))
def test_vectors_program_makes_of_each_event_what_its_receiver_takes(name: str, tmp_path: Path) -> None:
    """By the engine of VRL that PyPI has (pyvrl 0.0.2); Vector's own is newer."""
    reason = f"no pyvrl (pip install pyvrl): the VRL of deploy/vector/{name}.yaml is NOT run"
    pyvrl = pytest.importorskip("pyvrl", reason=reason)
    program = settings(FOLDERS["vector"] / f"{name}.yaml")["transforms"]["records"]["source"]
    for line in events(tmp_path).read_text("utf-8").splitlines():
        event = json.loads(line)
        made = pyvrl.Transform(program + "\n.").remap({"message": line, "file": "events.jsonl"})
        if name == "otlp":
            [record] = made["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
            assert json.loads(record["body"]["stringValue"]) == event
            assert abs(int(record["timeUnixNano"]) / 1e9 - event["time"]) < 0.001
        else:
            moment = made.pop("timestamp", None)
            assert (moment is not None) == (name == "splunk")
            assert made == event


def events(folder: Path) -> Path:
    """What `aegis export --follow` appends to, with an event of every kind."""
    file = folder / "events.jsonl"
    records = write_log(folder / "records", EVERY).parents[1]
    file.write_text(CliRunner().invoke(app, ["export", str(records)]).stdout, "utf-8")
    return file


def arrived(receiver: Receiver) -> list[dict[str, Any]]:
    """The events that a receiver has, in the order of their log."""
    if isinstance(receiver, SplunkServer):
        found = [event["event"] for event in receiver.taken]
    elif isinstance(receiver, ElasticServer):
        found = list(receiver.documents.values())
    else:
        bodies = [
            record.body
            for request in receiver.taken
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]
        found = [json.loads(body.string_value) if body.string_value else mapped(body) for body in bodies]
    return sorted(found, key=lambda event: int(event["seq"]))


def mapped(body: Any) -> dict[str, Any]:
    """The scalars of a structured body (opentelemetry.proto.common.v1.AnyValue)."""
    return {entry.key: getattr(entry.value, entry.value.WhichOneof("value")) for entry in body.kvlist_value.values
            if entry.value.WhichOneof("value") not in (None, "kvlist_value", "array_value")}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RECEIVERS))
@pytest.mark.parametrize("program", sorted(FOLDERS))
def test_each_event_arrives_and_a_receiver_that_is_busy_gets_it_later(program: str, name: str, tmp_path: Path) -> None:
    binary, file, receiver = shipper(program), events(tmp_path), RECEIVERS[name]()
    receiver.faults.append((503, b'{"text":"Server is busy","code":9}'))
    if isinstance(receiver, SplunkServer):
        receiver.acknowledges = program == "vector"
    state = tmp_path / "state"
    state.mkdir()
    [source] = FOLDERS[program].glob(f"{name}.*")
    with http_serving(receiver):
        settings_file = tmp_path / source.name
        settings_file.write_text(for_loopback(program, source, receiver.url, tmp_path), "utf-8")
        option = "-c" if program == "fluent-bit" else "--config"
        command: list[str | Path] = [binary, option, settings_file]
        told = {"AEGIS_EVENTS": str(file), "AEGIS_SHIPPER": str(state), "SPLUNK_TOKEN": TOKEN, "ELASTIC_KEY": TOKEN}
        told |= dict.fromkeys(("SPLUNK_URL", "ELASTIC_URL", "OTLP_URL"), receiver.url)
        told |= dict.fromkeys(("SPLUNK_HOST", "ELASTIC_HOST", "OTLP_HOST"), "127.0.0.1")
        with running(command, tmp_path / "log", told) as until:
            until(lambda: len(arrived(receiver)) >= len(EVERY))
    assert not receiver.faults
    wanted = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for event, want in zip(arrived(receiver), wanted, strict=True):
        assert event["event_id"] == want["event_id"]
        assert {key: value for key, value in event.items() if want.get(key) != value} == {}
        assert len(event) == len(want) or isinstance(receiver, OtlpServer)
    assert TOKEN not in (tmp_path / "log").read_text("utf-8", "replace")


def for_loopback(program: str, source: Path, url: str, folder: Path) -> str:
    """The file as it is shipped, but for the address of the receiver, TLS, and Vector's folders."""
    text = source.read_text("utf-8")
    if program == "fluent-bit":
        plain = text.replace("tls: on", "tls: off").replace("tls.verify: on", "tls.verify: off")
        return re.sub(r"port: \d+", f"port: {url.rpartition(':')[2]}", plain)
    if program == "fluentd":
        return text
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "aegis-splunk").write_text(f"{TOKEN}\n", "utf-8")
    (secrets / "aegis-elastic").write_text(f"ApiKey {TOKEN}\n", "utf-8")
    text = text.replace("/var/log/aegis", str(folder)).replace("/var/lib/vector", str(folder / "state"))
    text = text.replace("/etc/vector/secrets", str(secrets))
    return re.sub(r"https://[a-z.]+:\d+", url, text)
