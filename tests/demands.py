"""Demands written down in a line."""

from typing import Any

from collectives import Flows


def flows_of(src: Any, dst: Any, bytes_: Any) -> Flows:
    """Flows of lists, or of whatever else: the constructor makes arrays of them, or refuses."""
    return Flows(src, dst, bytes_)
