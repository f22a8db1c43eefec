"""Policy documents and tool catalogues: read strictly, compiled to data, packed as signed bundles. Pure."""
