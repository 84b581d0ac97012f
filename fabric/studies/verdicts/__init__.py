"""One or two sentences a person can act on: what limits, how far over which bound, why, what was found to help."""
