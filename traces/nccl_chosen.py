"""What NCCL chose: rings, trees, the ways between ranks, algorithms; out of its graph dump or its log."""

from collections.abc import Iterator
from dataclasses import dataclass

from collectives.gate import quoted
from collectives.sizes import counted

# In a line of a summary.
_SHOWN = 4


@dataclass(frozen=True)
class ChosenChannel:
    """A ring or a tree.

    Attributes
    ----------
    gpus : tuple of int
        In the order of the ring, or of the tree's chain within a host.  Of a graph dump CUDA's numbers; of a log ranks
        of the communicator.
    nic_in, nic_out : int or None
        Of a graph dump the numbers of the NICs that it comes in and goes out by; None within one host, and of a log,
        where each edge has its own.
    parents : tuple of int
        Of a tree in a log, the parent of each of `gpus`, -1 of the root; else empty.
    """

    gpus: tuple[int, ...]
    nic_in: int | None
    nic_out: int | None
    parents: tuple[int, ...] = ()


@dataclass(frozen=True)
class ChosenGraph:
    """The channels of an algorithm.

    Attributes
    ----------
    id : int
        NCCL's: 0 ring, 1 tree, 2 CollNet chain, 3 NVLS, 4 CollNet direct.
    pattern : str
    cross_nic : bool
        A ring may come in by another NIC than it goes out by.
    speed_intra, speed_inter : float
        Of a channel within the host and to the NICs, GB/s.
    type_intra, type_inter : str
        The longest way within the host and to the NICs: ``NVL``, ``PIX``, ``PXB``, ``PXN``, ``PHB``, ``SYS``.
    channels : tuple of ChosenChannel
    """

    id: int
    pattern: str
    cross_nic: bool
    speed_intra: float
    speed_inter: float
    type_intra: str
    type_inter: str
    channels: tuple[ChosenChannel, ...]


@dataclass(frozen=True)
class ChosenEdge:
    """How a channel gets from one rank to another.

    Attributes
    ----------
    channel : int
    connection : int
        0 of rings and trees, 1 of messages; 0 where the log does not tell them apart.
    source, target : int
        Ranks of the communicator.
    transport : str
        As NCCL prints it: ``P2P/IPC``, ``SHM/direct/direct``, ``NET/IB/0/GDRDMA``; of the network the sender's where
        it was printed.
    nic_out, nic_in : str
        The NICs of the sender and of the receiver: their names, such as ``mlx5_0``, where the log has them, else such
        as ``IB/0``; empty where there is none or its end did not print it.
    through : int or None
        The rank whose NIC sends, where it is another than the source (PXN).
    """

    channel: int
    connection: int
    source: int
    target: int
    transport: str
    nic_out: str = ""
    nic_in: str = ""
    through: int | None = None


@dataclass(frozen=True)
class ChosenWiring:
    """Rings, trees and edges of a communicator, as far as its ranks printed them.

    Attributes
    ----------
    group : str
        As of operations, where the log says the communicator's identity.
    n_ranks : int or None
    channels : tuple of (str, int)
        How many: ``coll``, ``nvls``, ``p2p``, ``p2p per peer``, as the log names them.
    rings, trees : tuple of ChosenChannel
        By channel; rings that were printed whole only, of trees the ranks that printed their place.
    edges : tuple of ChosenEdge
    connected : tuple of (str, int)
        ``all rings``, ``all trees``, ``NVLS tree``: how many ranks printed that.
    """

    group: str
    n_ranks: int | None
    channels: tuple[tuple[str, int], ...]
    rings: tuple[ChosenChannel, ...]
    trees: tuple[ChosenChannel, ...]
    edges: tuple[ChosenEdge, ...]
    connected: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class ChosenAlgorithm:
    """What NCCL took for a collective of a size.

    Attributes
    ----------
    kind : str
        Of the collective; empty where the log does not say.
    bytes : float
        NCCL's size of it: all-gather the whole output, reduce-scatter the whole input.
    algorithm, protocol : str
        Such as ``ring`` and ``LL128``.
    channels : int or None
    predicted_s : float or None
        NCCL's own prediction of its time, seconds.
    times : int
        How often it is in the log.
    """

    kind: str
    bytes: float
    algorithm: str
    protocol: str
    channels: int | None
    predicted_s: float | None
    times: int


@dataclass(frozen=True)
class NcclChoices:
    """What a job's log says of NCCL's choices.

    Attributes
    ----------
    files : tuple of str
    wiring : tuple of ChosenWiring
    algorithms : tuple of ChosenAlgorithm
    warnings : tuple of str
    """

    files: tuple[str, ...]
    wiring: tuple[ChosenWiring, ...]
    algorithms: tuple[ChosenAlgorithm, ...]
    warnings: tuple[str, ...]


def choices_text(choices: NcclChoices) -> Iterator[str]:
    """One line for each communicator of several ranks and one for the algorithms, the longest parts cut.

    Parameters
    ----------
    choices : NcclChoices
    """
    several = [one for one in choices.wiring if one.n_ranks != 1]
    for one in several[:_SHOWN]:
        name = f"communicator {quoted(one.group)}" if one.group else "communicator"
        size = f"{name} of {counted(one.n_ranks, 'rank')}" if one.n_ranks else name
        counts = [counted(len(part), what) for part, what in ((one.rings, "ring"), (one.trees, "tree")) if part]
        counts += [counted(number, f"{what} channel") for what, number in one.channels if number and "per" not in what]
        yield f"{size}: {', '.join(counts) or 'no whole ring or tree'}{_connected(one)}{_ways(one)}{_nics(one)}"
    if len(several) > _SHOWN:
        yield f"rings and trees of {counted(len(several) - _SHOWN, 'more communicator')} are in the log"
    if choices.algorithms:
        lines = (
            f"{one.kind or 'collective'} of {one.bytes:,.0f} B {one.algorithm} {one.protocol}"
            + (f", {one.predicted_s * 1e6:,.0f} us predicted" if one.predicted_s is not None else "")
            for one in choices.algorithms[:_SHOWN]
        )
        more = ", ..." if len(choices.algorithms) > _SHOWN else ""
        yield f"NCCL chose (its sizes are of the whole): {'; '.join(lines)}{more}"


def _connected(wiring: ChosenWiring) -> str:
    """What some of the ranks that printed their places in trees did not connect, as far as they say."""
    ranks = max((len(tree.gpus) for tree in wiring.trees), default=0)
    some = [(what, number) for what, number in wiring.connected if number < ranks]
    return "".join(f"; {what} connected on {number:,} of {ranks:,} ranks that printed trees" for what, number in some)


def _ways(wiring: ChosenWiring) -> str:
    ways: dict[str, int] = {}
    for edge in wiring.edges:
        way = "/".join(edge.transport.split("/")[:2])
        ways[way] = ways.get(way, 0) + 1
    return f"; edges: {', '.join(f'{number:,} {way}' for way, number in ways.items())}" if ways else ""


def _nics(wiring: ChosenWiring) -> str:
    """Which edges each NIC carries, of the first few."""
    carried: dict[str, dict[str, None]] = {}
    for edge in wiring.edges:
        for nic in dict.fromkeys((edge.nic_out, edge.nic_in)):
            if nic:
                carried.setdefault(nic, {})[f"{edge.source}->{edge.target}"] = None
    if not carried:
        return ""
    shown = (
        f"{nic} {' '.join(list(edges)[:_SHOWN])}{' ...' if len(edges) > _SHOWN else ''}"
        for nic, edges in sorted(carried.items())[: 2 * _SHOWN]
    )
    return f"; NICs: {', '.join(shown)}{', ...' if len(carried) > 2 * _SHOWN else ''}"
