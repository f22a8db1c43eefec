"""How bytes and texts are written, with no word of the domain: base64url, keys, strict JSON."""
