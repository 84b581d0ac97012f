"""Many scenarios: a grid or a sample of points, run here or on a cluster, kept point by point."""
