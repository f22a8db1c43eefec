// The official MCP client for TypeScript, 1.x.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const client = new Client({ name: "stock", version: "1.0.0" });
await client.connect(new StreamableHTTPClientTransport(new URL(`${process.env.AEGIS_BASE_URL}/notes/mcp`)));
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const texts = [];
for (const text of ["hello", "secret", "hello"]) {
  const result = await client.callTool({ name: "write_note", arguments: { text } });
  texts.push(`${result.isError ?? false} ${result.content[0].text}`);
}
console.log(JSON.stringify({ tools, allowed: texts[0], denied: texts[1], again: texts[2] }));
await client.close();
