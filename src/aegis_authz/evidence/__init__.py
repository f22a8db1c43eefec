"""Records nobody can alter unseen: the chain, its checkpoints, and their verification."""
