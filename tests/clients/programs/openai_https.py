"""The official client of OpenAI's API, as its page shows it: https, and a stream."""

import json

import openai

client = openai.OpenAI(base_url="https://api.openai.example/v1", api_key="sk-none")
texts = []
for model in ("small", "large", "small"):
    try:
        stream = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}], stream=True)
        texts.append("".join(chunk.choices[0].delta.content or "" for chunk in stream))
    except openai.PermissionDeniedError as denied:
        texts.append(denied.message)
print(json.dumps({"allowed": texts[0], "denied": texts[1], "again": texts[2]}))
