"""Messages of the Model Context Protocol as calls of tools."""
