"""Splunk's HTTP Event Collector with indexer acknowledgement (docs.splunk.com, "About HTTP Event Collector Indexer
Acknowledgment"): an event counts as delivered when the indexer says that it has it, not when the collector took it.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Sequence

from aegis_authz.adapters.siem.http import HttpPoster
from aegis_authz.ports.receiver import DeliveryFault, OutgoingEvent

_PATIENCE = 60.0
"""Seconds within which the indexer must have acknowledged; Splunk's own forwarders wait 300."""
_LOOK_EVERY = 0.5


class SplunkCollector:
    """Events to `<url>/services/collector/event`. `source` names the mesh; `index` is "" for the token's own.

    With `acks` off, events count as delivered when the collector took them: it may lose them in a crash.
    """

    def __init__(
        self,
        url: str,
        token: str,
        poster: HttpPoster,
        index: str,
        source: str,
        acks: bool,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url.rstrip("/")
        self._poster = poster
        self._fields = {"sourcetype": "aegis:event", "source": source} | ({"index": index} if index else {})
        self._acks = acks
        self._sleep, self._clock = sleep, clock
        self._channel = str(uuid.uuid4())
        self._headers = {"authorization": f"Splunk {token}", "content-type": "application/json"}
        if acks:
            self._headers["x-splunk-request-channel"] = self._channel

    def deliver(self, events: Sequence[OutgoingEvent]) -> None:
        """Send all of them in one request and wait for their acknowledgement. Raises DeliveryFault."""
        body = "".join(map(self._member, events)).encode("utf-8")
        answer = _object(self._poster.post(f"{self._url}/services/collector/event", body, self._headers))
        if answer.get("code") != 0:
            raise DeliveryFault(f"answered code {answer.get('code')!r}, not success", is_final=False)
        if self._acks:
            self._await(answer.get("ackId"))

    def close(self) -> None:
        """Close the connections."""
        self._poster.close()

    def _member(self, event: OutgoingEvent) -> str:
        content = json.loads(event.text) if event.text.startswith("{") else event.text
        return json.dumps({"time": round(event.time, 3), **self._fields, "event": content}, ensure_ascii=True)

    def _await(self, ack_id: object) -> None:
        if isinstance(ack_id, bool) or not isinstance(ack_id, int):
            raise DeliveryFault("gave no acknowledgement id: turn acknowledgement on for the token", is_final=False)
        url = f"{self._url}/services/collector/ack?channel={self._channel}"
        give_up = self._clock() + _PATIENCE
        while True:
            answer = _object(self._poster.post(url, json.dumps({"acks": [ack_id]}).encode(), self._headers))
            acks = answer.get("acks")
            if isinstance(acks, dict) and acks.get(str(ack_id)) is True:
                return
            if self._clock() >= give_up:
                raise DeliveryFault(f"did not acknowledge within {_PATIENCE:.0f} s", is_final=False)
            self._sleep(_LOOK_EVERY)


def _object(content: bytes) -> dict[str, object]:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        raise DeliveryFault("answered no JSON", is_final=False) from None
    if not isinstance(answer, dict):
        raise DeliveryFault("answered no JSON object", is_final=False)
    return answer
