"""An OPA of one's own for as long as a command runs, to be asked about documents nobody serves."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from aegis_authz.core.decision import Decision
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.policy.bundle.library import rego_library
from aegis_authz.wire.opa.answer import decisions_from_data

_START_SECONDS = 20.0
_ANSWER_SECONDS = 60.0
_BATCH = 500


class LabError(RuntimeError):
    """OPA could not be started or did not answer; the message says how and is fit to show."""


class LabOpa:
    """A running OPA with the decision library and, after `load`, the data of one generation of documents."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def load(self, data: Mapping[str, Json]) -> None:
        """Put `Compiled.data` in place of what was loaded before. Raises LabError."""
        self._answer("PUT", "/v1/data/aegis", data["aegis"])

    def decisions(self, questions: Sequence[Json]) -> list[Decision | Refused]:
        """What the mesh would get for each question, in order, read as the mesh reads it. Raises LabError, Refused."""
        decisions: list[Decision | Refused] = []
        for start in range(0, len(questions), _BATCH):
            batch = questions[start : start + _BATCH]
            decisions += decisions_from_data(self._result("answer", batch), len(batch))
        return decisions

    def explanations(self, questions: Sequence[Json]) -> list[Mapping[str, Json]]:
        """For each question the decision and every rule looked at (rego/explain.rego). Raises LabError."""
        explanations: list[Mapping[str, Json]] = []
        for start in range(0, len(questions), _BATCH):
            result = self._result("explanations", questions[start : start + _BATCH])
            explanations += (
                [explanation for explanation in result if isinstance(explanation, Mapping)]
                if isinstance(result, list)
                else []
            )
        if len(explanations) != len(questions):
            raise LabError(f"OPA explained {len(explanations)} of {len(questions)} calls")
        return explanations

    def _result(self, rule: str, questions: Sequence[Json]) -> Json:
        answer = self._answer("POST", f"/v1/data/aegis/authz/{rule}", {"input": {"calls": list(questions)}})
        return answer.get("result") if isinstance(answer, dict) else None

    def _answer(self, method: str, path: str, body: Json) -> Json:
        try:
            response = self._client.request(method, path, json=body)
            response.raise_for_status()
            answer: Json = response.json() if response.content else None
        except (httpx.HTTPError, ValueError) as fault:
            raise LabError(f"OPA did not answer: {fault}") from None
        return answer


@contextmanager
def lab_opa(binary: Path, patience: float | None = None) -> Iterator[LabOpa]:
    """Start OPA on a socket nobody else knows, and stop it in the end, or after `patience` seconds. Raises LabError."""
    with tempfile.TemporaryDirectory(prefix="aegis-lab-") as name:
        folder = Path(name)
        library = folder / "rego"
        library.mkdir()
        for file, text in rego_library().items():
            (library / file).write_text(text, encoding="utf-8")
        address = folder / "opa.sock"
        command = [str(binary), "run", "--server", "--addr", f"unix://{address}", "--log-level", "error", str(library)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = threading.Timer(threading.TIMEOUT_MAX if patience is None else patience, process.kill)
        try:
            if patience is not None:
                end.start()
            with httpx.Client(
                transport=httpx.HTTPTransport(uds=str(address)), base_url="http://opa", timeout=_ANSWER_SECONDS
            ) as client:
                _wait(process, client, address, folder / "log")
                yield LabOpa(client)
        finally:
            end.cancel()
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], client: httpx.Client, address: Path, log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        if process.poll() is not None:
            raise LabError(f"OPA ended at once: {log.read_text('utf-8', 'replace').strip()[-400:]}")
        if _is_listening(address) and _is_well(client):
            return
        if time.monotonic() > until:
            raise LabError(f"OPA did not start within {_START_SECONDS:.0f} seconds")
        time.sleep(0.01)


def _is_listening(address: Path) -> bool:
    # httpx leaves a socket open that could not connect
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(address)) == 0


def _is_well(client: httpx.Client) -> bool:
    try:
        return client.get("/health").is_success
    except httpx.TransportError:
        return False
