"""Kernels for NVIDIA GPUs: what is computed is said beside their twins for processors, one folder up."""
