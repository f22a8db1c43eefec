"""MCP between stdio and streamable HTTP: clients that speak stdio alone, and servers that do."""
