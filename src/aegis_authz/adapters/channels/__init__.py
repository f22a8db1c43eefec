"""Ways to reach people: Slack, Teams, webhooks, mail."""
