"""How it is computed fast: numba, and nothing else."""
