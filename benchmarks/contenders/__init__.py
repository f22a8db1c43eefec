"""Those who take part beside Aegis, each a process of its own."""
