"""The collectives and their algorithms by the names that users type."""

from collections.abc import Iterator, Mapping

from collectives.algorithm import Algorithm
from collectives.bandwidth import COLLECTIVES, known_collective
from collectives.demand import Groups, Int32Vector
from collectives.errors import InputError
from collectives.schedule import Schedule
from collectives.shipped import SHIPPED
from collectives.suggestion import hint

# By collective, in the order in which they were registered: the first one is the default.
_registered: dict[str, dict[str, Algorithm]] = {
    name: {one.name: one for one in SHIPPED if one.collective == name} for name in COLLECTIVES
}


def register_algorithm(algorithm: Algorithm) -> None:
    """Make an algorithm known by its name, wherever one is looked up.

    Parameters
    ----------
    algorithm : Algorithm

    Raises
    ------
    InputError
        If the collective has one of that name already: `unregister_algorithm` takes it away.
    """
    own = _registered[algorithm.collective]
    if algorithm.name in own:
        raise InputError(f"algorithm {algorithm.name!r}: {algorithm.collective} has one already; expected another name")
    own[algorithm.name] = algorithm


def unregister_algorithm(collective: str, name: str) -> None:
    """Forget an algorithm, as before another version of it is registered.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    del _registered[collective][algorithm_of(collective, name).name]


def algorithm_of(collective: str, name: str | None = None) -> Algorithm:
    """The algorithm of that name, or the collective's first one for None.

    Raises
    ------
    InputError
        If there is none: names the nearest one.
    """
    own = _registered[known_collective(collective)]
    if not own:
        raise InputError(f"collective {collective}: it has no algorithm; expected one by `register_algorithm`")
    if name is None:
        return next(iter(own.values()))
    if name not in own:
        raise InputError(f"algorithm {name!r}: {collective} has none of that name; {hint(name, own)}")
    return own[name]


class _Names(Mapping[str, tuple[str, ...]]):
    """Names of each collective's algorithms, as they are registered at the time."""

    def __getitem__(self, collective: str) -> tuple[str, ...]:
        return tuple(_registered[collective])

    def __iter__(self) -> Iterator[str]:
        return iter(_registered)

    def __len__(self) -> int:
        return len(_registered)

    def __repr__(self) -> str:
        return repr(dict(self))


ALGORITHMS: Mapping[str, tuple[str, ...]] = _Names()


def names_that_take(option: str, collective: str | None = None) -> tuple[str, ...]:
    """Names of the algorithms that take an option, of one collective or of all, each once."""
    of = COLLECTIVES if collective is None else (known_collective(collective),)
    takers = (one.name for name in of for one in _registered[name].values() if option in one.options)
    return tuple(dict.fromkeys(takers))


def checked_options(algorithm: Algorithm, **given: int | None) -> dict[str, int]:
    """The options that are given, not None.

    Raises
    ------
    InputError
        If the algorithm does not take one: names those of the collective that do.
    """
    taken = algorithm.taken(**given)
    for option, value in given.items():
        if value is not None and option not in taken:
            takers = names_that_take(option, algorithm.collective)
            expected = f"expected the algorithm {' or '.join(takers)}, not" if takers else "nothing to be said of"
            raise InputError(f"{option} {value}: {expected} {algorithm.name}")
    return taken


def collective_schedule(
    name: str,
    groups: Groups,
    bytes: float,
    algorithm: str | None = None,
    domain: Int32Vector | None = None,
    rail: Int32Vector | None = None,
    n_channels: int | None = None,
    cross_nic: int | None = None,
) -> Schedule:
    """A collective of every group at once.

    Parameters
    ----------
    name : str
        One of `COLLECTIVES`.
    groups : Groups
    bytes : float
        The size that nccl-tests prints: all-reduce, broadcast, reduce, send-recv: buffer; all-gather, gather: gathered
        output; reduce-scatter, scatter: whole input; all-to-all: whole send buffer.
    algorithm : str, optional
        One of ``ALGORITHMS[name]``; default its first.
    domain, rail : (n_ranks,) int32, optional
        What algorithms that tell scale-up from scale-out need to know of the ranks.
    n_channels : int, optional
        Of ``rings`` and ``trees``: see `collectives.nccl_channels`.  Of ``hierarchical``, ``nvls``, ``nvls-tree`` and
        ``sharp``: members of a domain that talk across, at most.
    cross_nic : {0, 1, 2}, optional
        Of ``rings``: see `collectives.nccl_channels`.

    Raises
    ------
    InputError
        If the name or the algorithm is unknown, or the algorithm does not take what is given.
    """
    chosen = algorithm_of(name, algorithm)
    options = checked_options(chosen, n_channels=n_channels, cross_nic=cross_nic)
    return chosen.schedule_for(groups, bytes, domain, rail, options)
