"""grpcio, one channel, https."""

import json

import grpc

texts = []
with grpc.secure_channel("pay.example:443", grpc.ssl_channel_credentials()) as channel:
    for method in ("Create", "Refund", "Create"):
        call = channel.unary_unary(f"/pay.v1.Payments/{method}")
        try:
            texts.append(call(b"a payment", timeout=60).decode())
        except grpc.RpcError as refused:
            texts.append(f"{refused.code().name} {refused.details()}")
print(json.dumps({"allowed": texts[0], "denied": texts[1], "again": texts[2]}))
