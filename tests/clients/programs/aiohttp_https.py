"""aiohttp, one session, https. It takes no proxy from the environment unless it is told to."""

import asyncio
import json

import aiohttp


async def main() -> None:
    texts = []
    async with aiohttp.ClientSession(trust_env=True) as session:
        for repository in ("acme/web", "acme/secret", "acme/web"):
            async with session.get(f"https://api.github.example/repos/{repository}") as answer:
                told = await answer.json(content_type=None)
                texts.append(told["full_name"] if answer.ok else told["detail"])
    print(json.dumps({"allowed": texts[0], "denied": texts[1], "again": texts[2]}))


asyncio.run(main())
