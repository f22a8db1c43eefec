"""An agent's side: its key and tokens, the signer its requests pass, and bridges for clients that know none of it."""
