"""The usual client of GitHub's API for Python, https."""

import json

from github import Auth, Github, GithubException

client = Github(base_url="https://api.github.example", auth=Auth.Token("none"))
texts = []
for repository in ("acme/web", "acme/secret", "acme/web"):
    try:
        texts.append(client.get_repo(repository).full_name)
    except GithubException as denied:
        texts.append(str(denied))
print(json.dumps({"allowed": texts[0], "denied": texts[1], "again": texts[2]}))
