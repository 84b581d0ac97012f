"""Lines of NCCL's and RCCL's debug logs that say what was chosen: rings, trees, edges, NICs, algorithms.

Sources: NVIDIA/nccl src/graph/rings.cc (``Channel 00/08 : 0 1 2``, by rank 0; cut after 20 ranks, since 2.19 after
128 characters), src/init.cc (``Ring 00 : 3 -> 0 -> 1``, ``Tree 0 : -1 -> 0 -> 1/-1/-1``, ``Trees [0] 1/-1/-1->0->-1``,
counts of channels), src/transport (``Channel 00/0 : 1[1] -> 2[2] via P2P/IPC``, ``Connected all rings``),
src/transport/net_ib and net_socket (``Using [0]mlx5_0:1/IB``), src/enqueue.cc (``AllReduce: 1024 Bytes -> Algo``).
RCCL puts the communicator behind most of them.
"""

import re
from dataclasses import dataclass

from collectives.gate import real, whole
from traces.nccl_chosen import ChosenAlgorithm
from traces.nccl_log_lines import KIND_OF_CALL

_COMM = re.compile(r"\bcomm (0x[0-9a-fA-F]{1,16})\b", re.ASCII)
_SIZE = re.compile(r"\bnRanks (\d{1,8})\b", re.ASCII)
_MEMBER = re.compile(r"comm (0x[0-9a-fA-F]{1,16}) rank (\d{1,8}) nRanks (\d{1,8})\b", re.ASCII)
_RING = re.compile(r"Channel (\d{1,4})/\d{1,4} :((?: +\d{1,8})+)(\.*)\s*(?:$|comm )", re.ASCII)
_STEP = re.compile(r"Ring (\d{1,4}) : (\d{1,8}) -> (\d{1,8}) -> (\d{1,8})(?:\s|$)", re.ASCII)
_NODE = re.compile(r"Tree (\d{1,4}) : (-1|\d{1,8}) -> (\d{1,8}) -> -?\d{1,8}/-?\d{1,8}/-?\d{1,8}(?:\s|$)", re.ASCII)
_TREES = re.compile(r"Trees\b", re.ASCII)
_TREE = re.compile(r"\[(\d{1,4})\] -?\d{1,8}/-?\d{1,8}/-?\d{1,8}->(\d{1,8})->(-1|\d{1,8})(?=\s|$|\|)", re.ASCII)
_EDGE = re.compile(
    r"(?:Channel|Ring) (\d{1,4})(?:/(\d{1,4}))? : (\d{1,8})(?:\[[0-9a-fA-F]{1,16}\])? -> (\d{1,8})"
    r"(?:\[[0-9a-fA-F]{1,16}\])? (?:\[(send|receive)\] )?via (\S.{0,200}?)(?: comm 0x[0-9a-fA-F]{1,16} nRanks \d+)?\s*",
    re.ASCII,
)
# What a whole one looks like: a cut line must not become a transport.
_TRANSPORT = re.compile(
    r"(?:P2P/(?:IPC|CUMEM|MNNVL|direct pointer|indirect/\d{1,8}\[[0-9a-fA-F]{1,16}\])|SHM(?:/\w{1,20}){0,2}"
    r"|direct shared memory|(?:NET|COLLNET)/(?P<net>[^/]{1,60})/(?P<dev>\d{1,4})(?:\((?P<through>\d{1,8})\))?)"
    r"(?:/(?:read|CE|GDRDMA(?:\(PCI\))?|Shared))*",
    re.ASCII,
)
_COUNTS = re.compile(r"\b(\d{1,6}) ((?:coll|collnet|nvls|p2p) channels(?: per peer)?)\b", re.ASCII)
_CONNECTED = re.compile(r"Connected (all rings|all trees|NVLS tree)\b", re.ASCII)
_NICS = re.compile(r"NET/([\w ]{1,40}?) ?: Using (.*)", re.ASCII)
# One of its own, or several that are used as one: `[0]={[0] mlx5_2:1/RoCE, [1] mlx5_3:1/RoCE}`.
_NIC = re.compile(r"\[(\d{1,4})\](?:=\{([^}]{1,400})\}|([\w.\-]{1,60}):)", re.ASCII)
_PART = re.compile(r"\[\d{1,4}\] ?([\w.\-]{1,60}):", re.ASCII)
_TUNING = re.compile(
    r"(?:(\w{1,40}): )?(\d{1,18}) Bytes -> Algo (\w{1,20}) proto (\w{1,20})"
    r"(?: time ([0-9.]{1,20})| channel\{Lo\.\.Hi\}=\{(\d{1,4})\.\.(\d{1,4})\})?(?=\s|$)",
    re.ASCII,
)
# src/include/nccl_common.h: NCCL_ALGO_* and NCCL_PROTO_*, as numbers and as names.
_ALGORITHMS = ("tree", "ring", "collnet direct", "collnet chain", "nvls", "nvls tree", "pat")
_PROTOCOLS = ("LL", "LL128", "Simple")
_SPELLED = {name.lower(): name for name in _PROTOCOLS}


@dataclass(frozen=True)
class Member:
    """A process says which rank of a communicator it is: pointer, rank, size."""

    comm: str
    rank: int
    n_ranks: int


@dataclass(frozen=True)
class Ring:
    """Ranks in the order of a channel's ring; `whole` is False where the log itself cuts the line."""

    channel: int
    ranks: tuple[int, ...]
    whole: bool


@dataclass(frozen=True)
class Step:
    """A rank's place in a ring: who is before it and who behind."""

    channel: int
    before: int
    rank: int
    behind: int


@dataclass(frozen=True)
class Places:
    """A rank's parents in trees, by channel; -1 where it is the root."""

    rank: int
    parents: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Edge:
    """A channel's way from one rank to another, as one of them prints it.

    Attributes
    ----------
    channel, connection, source, target : int
    end : str
        ``send``, ``receive``; empty where the sender prints it without saying so.
    transport : str
        The NIC's own part without the rank through which it sends.
    net, dev : str
        Of the network: ``IB``, ``0``; else empty.
    through : int or None
    """

    channel: int
    connection: int
    source: int
    target: int
    end: str
    transport: str
    net: str
    dev: str
    through: int | None


@dataclass(frozen=True)
class ChannelCounts:
    """How many channels: names and numbers."""

    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Connected:
    """A rank has connected ``all rings``, ``all trees``, its ``NVLS tree``."""

    what: str


@dataclass(frozen=True)
class Nics:
    """The NICs of a host by number, of a kind of network."""

    net: str
    names: tuple[tuple[str, str], ...]


Choice = Member | Ring | Step | Places | Edge | ChannelCounts | Connected | Nics | ChosenAlgorithm


def pointer_of(text: str) -> str:
    """The communicator's pointer that stands in a line; empty where there is none."""
    found = _COMM.search(text)
    return found[1] if found else ""


def size_of(text: str) -> int | None:
    """How many ranks a line of RCCL says the communicator has; None of another line."""
    found = _SIZE.search(text)
    return int(found[1]) if found else None


def choice_of(text: str, place: str) -> Choice | None:
    """What a line says was chosen; None of another line, and of one that is cut.

    Parameters
    ----------
    text : str
        Behind ``NCCL INFO``.
    place : str
        File and line, for messages.

    Raises
    ------
    InputError
        If a number is none that can be.
    """
    if text.startswith(("Channel ", "Ring ", "Tree")):
        return _wired(text)
    if text.startswith("Connected "):
        found = _CONNECTED.match(text)
        return Connected(found[1]) if found else None
    if text.startswith("NET/"):
        return _nics(text)
    if " channels" in text and (counts := _COUNTS.findall(text)):
        return ChannelCounts(tuple((name.replace(" channels", ""), int(number)) for number, name in counts))
    if " Bytes -> Algo " in text:
        return _tuned(text, place)
    member = _MEMBER.match(text)
    return Member(member[1], int(member[2]), int(member[3])) if member else None


def _wired(text: str) -> Choice | None:
    if ring := _RING.match(text):
        return Ring(int(ring[1]), tuple(map(int, ring[2].split())), not ring[3])
    if step := _STEP.match(text):
        return Step(*map(int, step.groups()))
    if node := _NODE.match(text):
        return Places(int(node[3]), ((int(node[1]), int(node[2])),))
    if _TREES.match(text):
        found = _TREE.findall(text)
        ranks = {rank for _, rank, _ in found}
        return Places(int(found[0][1]), tuple((int(a), int(b)) for a, _, b in found)) if len(ranks) == 1 else None
    edge = _EDGE.fullmatch(text)
    transport = _TRANSPORT.fullmatch(edge[6]) if edge else None
    if edge is None or transport is None:
        return None
    through = transport["through"]
    return Edge(
        channel=int(edge[1]),
        connection=int(edge[2] or 0),
        source=int(edge[3]),
        target=int(edge[4]),
        end=edge[5] or "",
        transport=edge[6].replace(f"({through})", "") if through else edge[6],
        net=transport["net"] or "",
        dev=transport["dev"] or "",
        through=int(through) if through and through != edge[3] else None,
    )


def _nics(text: str) -> Nics | None:
    found = _NICS.match(text)
    if found is None:
        return None
    # Behind it stands the interface of the bootstrap: `[RO]; OOB eth0:10.0.0.1<0>`.
    names = [
        (number, "+".join(_PART.findall(several)) if several else name)
        for number, several, name in _NIC.findall(found[2].partition("; OOB")[0])
    ]
    return Nics(found[1], tuple((number, name) for number, name in names if name))


def _tuned(text: str, place: str) -> ChosenAlgorithm | None:
    found = _TUNING.match(text)
    if found is None:
        return None
    name, size, algorithm, protocol, microseconds, low, high = found.groups()
    return ChosenAlgorithm(
        kind=KIND_OF_CALL.get((name or "").lower(), name or ""),
        bytes=float(whole(size, f"{place}: Bytes")),
        algorithm=_named(algorithm, _ALGORITHMS).lower().replace("_", " "),
        protocol=_SPELLED.get(_named(protocol, _PROTOCOLS).lower(), protocol),
        channels=whole(high, f"{place}: channel Hi") - whole(low, f"{place}: channel Lo") + 1 if high else None,
        predicted_s=real(microseconds, f"{place}: time", 0.0, 1e15) * 1e-6 if microseconds else None,
        times=1,
    )


def _named(text: str, names: tuple[str, ...]) -> str:
    """A name, of which older versions print the number."""
    return names[int(text)] if text.isdigit() and int(text) < len(names) else text
