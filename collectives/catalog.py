"""The collectives by the names that users type."""

from collections.abc import Callable
from difflib import get_close_matches

from collectives.alltoall import all_to_all
from collectives.demand import Groups, Int32Vector
from collectives.errors import InputError
from collectives.hierarchical import hierarchical_all_reduce
from collectives.ring import ring_all_gather, ring_all_reduce, ring_broadcast, ring_reduce, ring_reduce_scatter
from collectives.schedule import Schedule

_Simple = Callable[[Groups, float], Schedule]

# First is the default.
ALGORITHMS: dict[str, tuple[str, ...]] = {
    "all-reduce": ("ring", "hierarchical"),
    "all-gather": ("ring",),
    "reduce-scatter": ("ring",),
    "all-to-all": ("direct",),
    "broadcast": ("ring",),
    "reduce": ("ring",),
}
COLLECTIVES = tuple(ALGORITHMS)

_SIMPLE: dict[tuple[str, str], _Simple] = {
    ("all-reduce", "ring"): ring_all_reduce,
    ("all-gather", "ring"): ring_all_gather,
    ("reduce-scatter", "ring"): ring_reduce_scatter,
    ("all-to-all", "direct"): all_to_all,
    ("broadcast", "ring"): ring_broadcast,
    ("reduce", "ring"): ring_reduce,
}


def known_collective(name: str) -> str:
    """`name`, if there is such a collective.

    Raises
    ------
    InputError
        Names the nearest one.
    """
    if name not in ALGORITHMS:
        near = get_close_matches(name, COLLECTIVES, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(COLLECTIVES)}"
        raise InputError(f"collective {name!r}: unknown; {hint}")
    return name


def collective_schedule(
    name: str,
    groups: Groups,
    bytes: float,
    algorithm: str | None = None,
    domain: Int32Vector | None = None,
    rail: Int32Vector | None = None,
) -> Schedule:
    """A collective of every group at once.

    Parameters
    ----------
    name : str
        One of `COLLECTIVES`.
    groups : Groups
    bytes : float
        The size that nccl-tests prints: all-reduce, broadcast, reduce: buffer; all-gather: gathered output;
        reduce-scatter: whole input; all-to-all: whole send buffer.
    algorithm : str, optional
        One of ``ALGORITHMS[name]``; default its first.
    domain, rail : (n_ranks,) int32, optional
        What the hierarchical algorithm needs to know of the ranks.

    Raises
    ------
    InputError
        If the name or the algorithm is unknown.
    """
    chosen = algorithm or ALGORITHMS[known_collective(name)][0]
    if chosen not in ALGORITHMS[known_collective(name)]:
        raise InputError(f"algorithm {chosen!r}: {name} has {', '.join(ALGORITHMS[name])}")
    if chosen == "hierarchical":
        if domain is None or rail is None:
            raise InputError("hierarchical all-reduce: expected the domain and rail of every rank")
        return hierarchical_all_reduce(groups, bytes, domain, rail)
    return _SIMPLE[name, chosen](groups, bytes)
