"""Which way?  Policies, sweeps and table walks: demands in, bytes per link and flows' paths out."""

# Whoever imports anything of the room finds the policies registered.
from fabric.routing import builtin  # noqa: F401
