"""Records nobody can alter unseen: their documents, the chain, its checkpoints, verification, and the way back."""
