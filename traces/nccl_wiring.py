"""What NCCL's and RCCL's debug logs say was chosen: rings, trees, the edges' transports and NICs, algorithms.

Rank 0 prints rings, each rank its places in trees and the edges that it sends and receives by: `traces.nccl_views` has
them by process, and here they become one communicator's.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from collectives.errors import InputError
from collectives.sizes import counted
from traces.files import read_text
from traces.nccl_chosen import ChosenChannel, ChosenEdge, ChosenWiring, NcclChoices
from traces.nccl_log_lines import log_lines
from traces.nccl_views import View, WiringLog, collect
from traces.nccl_wiring_lines import Edge

_HINT = "NCCL_DEBUG=INFO with NCCL_DEBUG_SUBSYS=INIT,GRAPH,NET,P2P,SHM,TUNING prints them"


def read_nccl_choices(paths: Sequence[str | Path] | str | Path) -> NcclChoices:
    """Rings, trees, edges and algorithms out of the logs of one job.

    Parameters
    ----------
    paths : path or sequence of paths
        Of all ranks in one file, or a file a process; plain, gzip or xz.  No operations need be in them.

    Raises
    ------
    InputError
        If a file cannot be read, or there is no such line.
    """
    listed = [str(paths)] if isinstance(paths, (str, Path)) else list(map(str, paths))
    log = WiringLog()
    for path in listed:
        for line in log_lines(path, read_text(path, "backslashreplace")):
            collect(log, line)
    choices = choices_of(log, listed)
    if not choices.wiring and not choices.algorithms:
        raise InputError(f"{listed[0] if listed else 'log'}: no line of rings, trees, edges or algorithms; {_HINT}")
    return choices


def choices_of(log: WiringLog, paths: Sequence[str]) -> NcclChoices:
    """What was collected: the views of one communicator put together.

    Parameters
    ----------
    log : WiringLog
    paths : sequence of str
        Whose it is.

    Returns
    -------
    NcclChoices
        Communicators in the order in which the log names them; of those without an identity the first of a size of each
        rank are one, the second, and so on.  What contradicts that is left out, and said.
    """
    together: dict[tuple[object, ...], list[View]] = {}
    number: Counter[tuple[object, ...]] = Counter()
    for view in log.every:
        if not (view.rings or view.steps or view.parents or view.edges or view.counts or view.connected):
            continue
        unnamed = (view.n_ranks, view.rank)
        key: tuple[object, ...] = (view.group,) if view.group else (view.n_ranks, number[unnamed])
        if not view.group and view.rank is not None:
            number[unnamed] += 1
        together.setdefault(key, []).append(view)
    warnings: list[str] = []
    wiring = []
    for views in together.values():
        if not any(view.torn for view in views) and (views[0].group or not _contradict(views)):
            wiring.append(_wiring(views, log, warnings))
            if len(views) > 1 and not views[0].group:
                warnings.append(
                    f"no line says which communicator the rings and trees of {len(views)} processes are of: taken as "
                    f"one of {counted(wiring[-1].n_ranks or 0, 'rank')}"
                )
        else:
            warnings.append(
                "lines of rings and trees contradict one another, and no line says of which communicators they are: "
                "left out"
            )
    if log.lost:
        warnings.append(f"{counted(log.lost, 'line')} of rings, trees and edges: of which communicator is not known")
    algorithms = tuple(replace(one, times=times) for one, times in log.algorithms.items())
    return NcclChoices(tuple(paths), tuple(wiring), algorithms, tuple(dict.fromkeys(warnings)))


def _contradict(views: list[View]) -> bool:
    """Whether views taken for one communicator cannot be of one: two processes of a rank, two rings of a channel."""
    ranks = [view.rank for view in views if view.rank is not None]
    places = Counter((channel, rank) for view in views for channel, (rank, _) in view.parents.items())
    rings = {(ring.channel, ring.ranks) for view in views for ring in view.rings.values() if ring.whole}
    return (
        len(set(ranks)) < len(ranks)
        or max(places.values(), default=1) > 1
        or len({channel for channel, _ in rings}) < len(rings)
    )


def _wiring(views: list[View], log: WiringLog, warnings: list[str]) -> ChosenWiring:
    first = views[0]
    n_ranks = first.n_ranks if first.n_ranks is not None else _largest(views)
    counts: dict[str, int] = {}
    for view in views:
        counts |= view.counts
    rings, cut = _rings(views, n_ranks)
    if cut:
        warnings.append(
            f"{counted(cut, 'ring')} of {counted(n_ranks or 0, 'rank')} printed in part only: left out; "
            "NCCL_DEBUG_SUBSYS=INIT,GRAPH prints each rank's neighbours"
        )
    connected = Counter(what for view in views for what in view.connected)
    return ChosenWiring(
        group=first.group,
        n_ranks=n_ranks,
        channels=tuple(counts.items()),
        rings=rings,
        trees=tuple(_trees(views)),
        edges=tuple(_edges(views, log)),
        connected=tuple(sorted(connected.items())),
    )


def _largest(views: list[View]) -> int | None:
    """Size of a communicator of which no line says it: as many as ranks are named."""
    named = [rank for view in views for ring in view.rings.values() for rank in ring.ranks]
    named += [rank for view in views for step in view.steps.values() for rank in (step.before, step.rank, step.behind)]
    named += [rank for view in views for place in view.parents.values() for rank in place]
    named += [rank for view in views for edge in view.edges for rank in (edge.source, edge.target)]
    return max(named) + 1 if named else None


def _rings(views: list[View], n_ranks: int | None) -> tuple[tuple[ChosenChannel, ...], int]:
    """Rings in the order of their channels, and how many are not whole."""
    printed = {ring.channel: ring for view in views for ring in view.rings.values()}
    behind: dict[int, dict[int, int]] = {}
    for step in (step for view in views for step in view.steps.values()):
        behind.setdefault(step.channel, {})[step.rank] = step.behind
    whole, cut = [], 0
    for channel in sorted(printed.keys() | behind.keys()):
        ranks = printed[channel].ranks if channel in printed and printed[channel].whole else ()
        if len(ranks) != n_ranks:
            ranks = tuple(_walk(behind.get(channel, {})))
        if len(ranks) == n_ranks and len(set(ranks)) == n_ranks and max(ranks) < n_ranks:
            whole.append(ChosenChannel(ranks, None, None))
        else:
            cut += 1
    return tuple(whole), cut


def _walk(behind: dict[int, int]) -> Iterator[int]:
    """Ranks from the smallest on, until one is unknown or comes again."""
    rank, seen = min(behind, default=-1), set[int]()
    while rank in behind and rank not in seen:
        seen.add(rank)
        yield rank
        rank = behind[rank]


def _trees(views: list[View]) -> Iterator[ChosenChannel]:
    trees: dict[int, dict[int, int]] = {}
    for view in views:
        for channel, (rank, parent) in view.parents.items():
            trees.setdefault(channel, {})[rank] = parent
    for _, parents in sorted(trees.items()):
        ranks = tuple(sorted(parents))
        yield ChosenChannel(ranks, None, None, tuple(parents[rank] for rank in ranks))


def _edges(views: list[View], log: WiringLog) -> Iterator[ChosenEdge]:
    """Each edge once: its sender and its receiver print it."""
    found: dict[tuple[int, int, int, int], ChosenEdge] = {}
    for view in views:
        nic_of = _nic_names(view.host, log)
        for edge in view.edges:
            key = (edge.channel, edge.connection, edge.source, edge.target)
            known = found.get(key) or ChosenEdge(*key, edge.transport)
            nic = nic_of(edge)
            if edge.end == "receive":
                known = replace(known, nic_in=nic)
            else:
                known = replace(known, transport=edge.transport, nic_out=nic, through=edge.through)
            found[key] = known
    yield from (found[key] for key in sorted(found))


def _nic_names(host: str, log: WiringLog) -> Callable[[Edge], str]:
    """What a NIC is called on a host."""

    def nic_of(edge: Edge) -> str:
        # NCCL's plugin for InfiniBand names itself IBext_v8 and prints the same list.
        kind = "IB" if edge.net.startswith("IB") else edge.net
        return log.nics.get((host, kind, edge.dev), f"{edge.net}/{edge.dev}") if edge.net else ""

    return nic_of
