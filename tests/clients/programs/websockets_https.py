"""websockets, three connections, wss."""

import json

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

texts = []
for symbol in ("acme", "secret", "acme"):
    try:
        with connect(f"wss://ticker.example/v1/stream?symbol={symbol}", open_timeout=60) as socket:
            texts.append(socket.recv(timeout=60))
    except InvalidStatus as refused:
        texts.append(json.loads(refused.response.body)["detail"])
print(json.dumps({"allowed": texts[0], "denied": texts[1], "again": texts[2]}))
