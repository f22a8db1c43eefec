"""HTTPS that is opened to be judged: the mesh's own authority, the certificates it makes, and for which hosts."""
