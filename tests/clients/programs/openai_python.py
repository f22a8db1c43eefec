"""The official client of OpenAI's API."""

import json

import openai

client = openai.OpenAI(base_url="http://api.openai.example/v1", api_key="sk-none")
texts = []
for model in ("small", "large", "small"):
    try:
        answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
        texts.append(answer.choices[0].message.content)
    except openai.PermissionDeniedError as denied:
        texts.append(denied.message)
print(json.dumps({"allowed": texts[0], "denied": texts[1], "again": texts[2]}))
