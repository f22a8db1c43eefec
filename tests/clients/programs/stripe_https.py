"""The official client of Stripe's API, https, told nothing but its CA bundle and where Stripe is in these tests."""

import json
import os

import stripe

stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]
stripe.api_base = "https://api.stripe.example"
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
        texts.append(f"{intent.amount} {intent.metadata['order']}")
    except stripe.PermissionError as denied:
        texts.append(str(denied))
print(json.dumps({"allowed": texts[0], "denied": texts[1], "again": texts[2]}))
