"""The official client of Slack's API."""

import json

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

client = WebClient(token="xoxb-none", base_url="https://slack.example/api/")
texts = []
for channel in ("ops", "all", "ops"):
    try:
        texts.append(client.chat_postMessage(channel=channel, text="hi")["message"]["text"])
    except SlackApiError as denied:
        texts.append(str(denied))
print(json.dumps({"allowed": texts[0], "denied": texts[1], "again": texts[2]}))
