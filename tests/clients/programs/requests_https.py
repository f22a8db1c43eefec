"""requests, one session, https."""

import json

import requests

session = requests.Session()
texts = []
for repository in ("acme/web", "acme/secret", "acme/web"):
    answer = session.get(f"https://api.github.example/repos/{repository}", timeout=60)
    texts.append(answer.json()["full_name"] if answer.ok else answer.json()["detail"])
print(json.dumps({"allowed": texts[0], "denied": texts[1], "again": texts[2]}))
