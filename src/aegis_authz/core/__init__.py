"""Values and pure rules of the field. Imports the standard library and nothing else."""
