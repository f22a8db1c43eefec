"""The official client of Stripe's API."""

import json

import stripe

stripe.api_base = "http://api.stripe.example"
stripe.api_key = "sk_test_none"
stripe.enable_telemetry = False
texts = []
for customer in ("cus_open", "cus_secret", "cus_open"):
    try:
        texts.append(stripe.Customer.retrieve(customer).name)
    except stripe.PermissionError as denied:
        texts.append(str(denied))
print(json.dumps({"allowed": texts[0], "denied": texts[1], "again": texts[2]}))
