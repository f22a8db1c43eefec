"""grpcio, one channel, https."""

import json
import queue

import grpc

EURO = b"\x12\x03EUR"
PAID, REFUSED = b"\x08\xe8\x20" + EURO, b"\x08\xd0\x86\x03" + EURO  # pay.v1.CreateRequest: of 4,200 and of 50,000


def told(call, *words):
    try:
        return call(*words)
    except grpc.RpcError as refused:
        return f"{refused.code().name} {refused.details()}"


def talk(channel, method):
    """Says a word, waits for the answer, and says another."""
    words = queue.Queue()
    answers = channel.stream_stream(f"/pay.v1.Payments/{method}")(iter(words.get, None), timeout=60)
    heard = []
    for word in (b"a", b"b"):
        words.put(word)
        heard.append(next(answers).decode())
    words.put(None)
    return ", ".join(heard)


with grpc.secure_channel("pay.example:443", grpc.ssl_channel_credentials()) as channel:
    method = channel.unary_unary("/pay.v1.Payments/Create", response_deserializer=bytes.decode)
    texts = [told(method, message, 60) for message in (PAID, REFUSED, PAID, PAID + REFUSED)]
    streams = [told(talk, channel, name) for name in ("Talk", "Collect")]
names = ("allowed", "denied", "again", "twice", "talked", "collected")
print(json.dumps(dict(zip(names, texts + streams, strict=True))))
