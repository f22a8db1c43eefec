"""The official client of Stripe's API paying, which it does by a form, and uploading a file, which it does in parts."""

import io
import json

import stripe

stripe.api_base = "http://api.stripe.example"
stripe.upload_api_base = "http://files.stripe.example"
stripe.api_key = "sk_test_none"
stripe.enable_telemetry = False
texts = []
for amount in (4_200, 50_000, 4_200):
    try:
        intent = stripe.PaymentIntent.create(
            amount=amount,
            currency="usd",
            description="two words & more",
            metadata={"order": "o-7"},
            payment_method_types=["card", "link"],
            confirm=True,
        )
        texts.append(
            f"{intent.amount} {intent.metadata['order']} {intent.description} {intent.payment_method_types[1]}"
        )
    except stripe.PermissionError as denied:
        texts.append(str(denied))
uploads = []
for name in ("evidence.txt", "evidence.exe"):
    content = io.BytesIO(b"\0what happened\r\n" * 100)
    content.name = name
    try:
        uploads.append(stripe.File.create(purpose="dispute_evidence", file=content).id)
    except stripe.PermissionError as denied:
        uploads.append(str(denied))
told = {"allowed": texts[0], "denied": texts[1], "again": texts[2], "uploaded": uploads[0], "not_uploaded": uploads[1]}
print(json.dumps(told))
