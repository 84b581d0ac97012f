"""Modelled jobs: an architecture, how it is laid out over GPUs, and what one training step sends."""
