"""A witness of logs, asked over its published interface (C2SP tlog-witness)."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence

import httpx

_SECONDS = 15.0
_MOST_BYTES = 16 * 1024
_SIZE = re.compile(r"(0|[1-9][0-9]{0,17})\n")
_CONFLICT_TYPE = "text/x.tlog.size"
_WHY = {
    403: "it does not trust the key that signed: give it the log's key (`aegis audit cosign --log-keys`)",
    404: "it does not know the log: give it the log's key (`aegis audit cosign --log-keys`)",
    422: "it does not find the checkpoint to continue what it has seen",
}


class WitnessUnavailable(Exception):
    """A witness cannot be asked, or answers as none would; the message is fit to show."""


class WitnessRefused(Exception):
    """A witness did not cosign; the message says why."""


class SizeConflict(Exception):
    """The newest checkpoint that the witness has cosigned of this log is of another `size`."""

    def __init__(self, size: int) -> None:
        super().__init__(f"it has cosigned {size} records")
        self.size = size


class WitnessClient:
    """One witness at its submission prefix."""

    def __init__(self, url: str, trust: ssl.SSLContext | None, transport: httpx.BaseTransport | None = None) -> None:
        self._url = f"{url.rstrip('/')}/add-checkpoint"
        verify = trust if trust is not None else True
        self._client = httpx.Client(timeout=_SECONDS, verify=verify, transport=transport, follow_redirects=False)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def add_checkpoint(self, request: bytes) -> Sequence[str]:
        """The signature lines that the witness answers to a checkpoint and what shows that it continues an older one.

        Raises SizeConflict, WitnessRefused, WitnessUnavailable.
        """
        try:
            with self._client.stream("POST", self._url, content=request) as answer:
                content = b""
                for block in answer.iter_bytes():
                    content += block
                    if len(content) > _MOST_BYTES:
                        raise WitnessUnavailable(f"{self._url} answers with more than {_MOST_BYTES} bytes")
        except httpx.HTTPError as fault:
            raise WitnessUnavailable(f"{self._url}: {fault or type(fault).__name__}") from None
        text = content.decode("utf-8", "replace")
        if answer.status_code == httpx.codes.OK:
            return text.splitlines(keepends=True)
        size = _SIZE.fullmatch(text)
        if answer.status_code == httpx.codes.CONFLICT:
            if size is not None and answer.headers.get("content-type") == _CONFLICT_TYPE:
                raise SizeConflict(int(size[1]))
            raise WitnessRefused("it has seen another root of a tree of that size: the log was rewritten or forked")
        if answer.status_code in _WHY:
            raise WitnessRefused(_WHY[answer.status_code])
        raise WitnessUnavailable(f"{self._url} answers with status {answer.status_code}")
