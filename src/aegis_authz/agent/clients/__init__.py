"""The MCP clients on a machine: where they keep their settings, which servers stand there, and how they are changed."""
