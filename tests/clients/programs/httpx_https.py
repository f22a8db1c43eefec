"""httpx, one client, https."""

import json

import httpx

texts = []
with httpx.Client(timeout=60) as client:
    for repository in ("acme/web", "acme/secret", "acme/web"):
        answer = client.get(f"https://api.github.example/repos/{repository}")
        texts.append(answer.json()["full_name"] if answer.is_success else answer.json()["detail"])
print(json.dumps({"allowed": texts[0], "denied": texts[1], "again": texts[2]}))
