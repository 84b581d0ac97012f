"""Pictures: a file each; all return the bytes of a file, the same for the same input."""
