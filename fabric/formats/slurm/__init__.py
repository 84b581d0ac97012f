"""What Slurm writes: host lists, topology.conf."""
