"""What NCCL's and RCCL's debug logs say was chosen: rings, trees, the edges' transports and NICs, algorithms.

Most lines do not say of which communicator they are.  Those of its making stand in a thread between its Init lines;
ranks of newer versions connect later, when a communicator is first used: such a line is of the communicator whose rank
it says is its own, and of several such of the one whose operation the process printed last.  What fits none is counted.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from collectives.errors import InputError
from collectives.sizes import counted
from traces.files import read_text
from traces.nccl_chosen import ChosenAlgorithm, ChosenChannel, ChosenEdge, ChosenWiring, NcclChoices
from traces.nccl_log_lines import InitLine, Line, init_of, log_lines
from traces.nccl_wiring_lines import (
    ChannelCounts,
    Choice,
    Connected,
    Edge,
    Member,
    Nics,
    Places,
    Ring,
    Step,
    choice_of,
    pointer_of,
    size_of,
)

_Process = tuple[str, int]
_HINT = "NCCL_DEBUG=INFO with NCCL_DEBUG_SUBSYS=INIT,GRAPH,NET,P2P,SHM,TUNING prints them"


@dataclass(eq=False)
class _View:
    """A communicator as one process sees it."""

    host: str
    pointer: str = ""
    group: str = ""
    rank: int | None = None
    n_ranks: int | None = None
    rings: dict[int, Ring] = field(default_factory=dict)
    steps: dict[int, Step] = field(default_factory=dict)
    parents: dict[int, tuple[int, int]] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    connected: set[str] = field(default_factory=set)
    torn: bool = False
    """Whether a channel has two rings, or its rank two places in a tree: it is several communicators' then."""

    def holds(self, choice: Choice) -> bool:
        """Whether a line can be of this communicator and rank."""
        match choice:
            case Edge():
                own, other = (
                    (choice.target, choice.source) if choice.end == "receive" else (choice.source, choice.target)
                )
                ranks: tuple[int, ...] = (own, other)
            case Step():
                own, ranks = choice.rank, (choice.before, choice.rank, choice.behind)
            case Places():
                own, ranks = choice.rank, (choice.rank, *(parent for _, parent in choice.parents))
            case Ring():
                own, ranks = 0, choice.ranks
            case _:
                return True
        return self.rank in (None, own) and (self.n_ranks is None or max(ranks) < self.n_ranks)


def _ranks_of(choice: Choice) -> tuple[int | None, tuple[int, ...]]:
    """Whose rank prints a line, and which ranks are in it; None where it names none."""
    match choice:
        case Edge():
            ends = choice.source, choice.target
            return ends[choice.end == "receive"], ends
        case Step():
            return choice.rank, (choice.before, choice.rank, choice.behind)
        case Places():
            return choice.rank, (choice.rank, *(parent for _, parent in choice.parents))
        case Ring():
            return 0, choice.ranks
        case _:
            return None, ()


@dataclass(eq=False)
class WiringLog:
    """What was read of it so far: see `collect`."""

    views: dict[_Process, dict[str, _View]] = field(default_factory=dict)
    every: list[_View] = field(default_factory=list)
    current: dict[tuple[str, int, int], _View] = field(default_factory=dict)
    used: dict[_Process, _View] = field(default_factory=dict)
    nics: dict[tuple[str, str, str], str] = field(default_factory=dict)
    algorithms: Counter[ChosenAlgorithm] = field(default_factory=Counter)
    lost: int = 0


def read_nccl_choices(paths: Sequence[str] | str) -> NcclChoices:
    """Rings, trees, edges and algorithms out of the logs of one job.

    Parameters
    ----------
    paths : str or sequence of str
        Of all ranks in one file, or a file a process; plain, gzip or xz.  No operations need be in them.

    Raises
    ------
    InputError
        If a file cannot be read, or there is no such line.
    """
    listed = [paths] if isinstance(paths, str) else list(paths)
    log = WiringLog()
    for path in listed:
        for line in log_lines(path, read_text(path, "backslashreplace")):
            collect(log, line)
    choices = choices_of(log, listed)
    if not choices.wiring and not choices.algorithms:
        raise InputError(f"{listed[0] if listed else 'log'}: no line of rings, trees, edges or algorithms; {_HINT}")
    return choices


def collect(log: WiringLog, line: Line) -> None:
    """Add what a line says.

    Raises
    ------
    InputError
        If a number is none that can be.
    """
    process = (line.process.host, line.process.pid)
    thread = (*process, line.thread)
    if " - Init " in line.text and (init := init_of(line)) is not None:
        log.current[thread] = _begun(log, line, init, thread)
        if "COMPLETE" in line.text:
            # What comes now is of whichever is used.
            del log.current[thread]
        return
    choice = choice_of(line.text, line.place)
    pointer = pointer_of(line.text) if choice is not None or ": opCount " in line.text else ""
    named = log.views.get(process, {}).get(pointer)
    if choice is None:
        if named is not None:
            log.used[process] = named
        return
    match choice:
        case Nics():
            log.nics |= {(line.process.host, choice.net, number): name for number, name in choice.names}
        case ChosenAlgorithm():
            log.algorithms[choice] += 1
        case Member():
            if named is None or (named.rank, named.n_ranks) != (choice.rank, choice.n_ranks):
                named = _new(log, line, pointer, rank=choice.rank, n_ranks=choice.n_ranks)
            log.current[thread] = named
        case _:
            view = named or (_pointed(log, line, pointer) if pointer else _view_of(log, line, thread, choice))
            if view is None:
                log.lost += 1
            else:
                view.rank = _ranks_of(choice)[0] if view.rank is None else view.rank
                view.n_ranks = size_of(line.text) if view.n_ranks is None else view.n_ranks
                _add(view, choice)


def choices_of(log: WiringLog, paths: Sequence[str]) -> NcclChoices:
    """What was collected: the views of one communicator put together."""
    together: dict[tuple[object, ...], list[_View]] = {}
    number: Counter[tuple[object, ...]] = Counter()
    for view in log.every:
        if not (view.rings or view.steps or view.parents or view.edges or view.counts or view.connected):
            continue
        # Without an identity: the first of its size of each rank, the second, and so on.
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
        else:
            warnings.append(
                "lines of rings and trees contradict one another, and no line says of which communicators they are: "
                "left out"
            )
    if log.lost:
        warnings.append(f"{counted(log.lost, 'line')} of rings, trees and edges: of which communicator is not known")
    algorithms = tuple(replace(one, times=times) for one, times in log.algorithms.items())
    return NcclChoices(tuple(paths), tuple(wiring), algorithms, tuple(dict.fromkeys(warnings)))


def _begun(log: WiringLog, line: Line, init: InitLine, thread: tuple[str, int, int]) -> _View:
    """The view of a communicator that an Init line names; what a thread said before a first COMPLETE is of it."""
    own = log.views.setdefault(thread[:2], {})
    parent = own.get(init.parent)
    group = init.comm_id or (f"{parent.group} split {init.split}" if parent and parent.group else "")
    known = own.get(init.comm)
    if known is not None and (known.group or group, known.rank, known.n_ranks) == (group, init.rank, init.n_ranks):
        known.group = group
        return known
    before = known if known is not None else log.current.get(thread) if "COMPLETE" in line.text else None
    if (
        before is not None
        and before.rank in (None, init.rank)
        and before.n_ranks in (None, init.n_ranks)
        and not before.group
        and before.pointer in ("", init.comm)
    ):
        before.pointer, before.group, before.rank, before.n_ranks = init.comm, group, init.rank, init.n_ranks
        own[init.comm] = before
        return before
    return _new(log, line, init.comm, group, init.rank, init.n_ranks)


def _new(
    log: WiringLog,
    line: Line,
    pointer: str,
    group: str = "",
    rank: int | None = None,
    n_ranks: int | None = None,
) -> _View:
    view = _View(line.process.host, pointer, group, rank, n_ranks)
    log.every.append(view)
    if pointer:
        log.views.setdefault((line.process.host, line.process.pid), {})[pointer] = view
    return view


def _pointed(log: WiringLog, line: Line, pointer: str) -> _View:
    """The view of a pointer of which no Init line came before: RCCL's lines name it."""
    thread = (line.process.host, line.process.pid, line.thread)
    view = log.current.get(thread)
    if view is None or view.pointer:
        view = log.current[thread] = _new(log, line, pointer)
    view.pointer = pointer
    log.views.setdefault(thread[:2], {})[pointer] = view
    return view


def _view_of(log: WiringLog, line: Line, thread: tuple[str, int, int], choice: Choice) -> _View | None:
    """Of which communicator a line is that does not say it; None where that is not known."""
    current = log.current.get(thread)
    if current is not None and current.holds(choice):
        return current
    own = log.views.get(thread[:2], {})
    fitting = [view for view in own.values() if view.holds(choice)]
    used = log.used.get(thread[:2])
    if used is not None and used in fitting:
        return used
    if len(fitting) == 1:
        return fitting[0]
    if own or current is not None:
        return None
    log.current[thread] = _new(log, line, "")
    return log.current[thread]


def _add(view: _View, choice: Choice) -> None:
    match choice:
        case Ring():
            shorter, longer = sorted((view.rings.get(choice.channel, choice), choice), key=lambda ring: len(ring.ranks))
            view.torn |= longer.ranks[: len(shorter.ranks)] != shorter.ranks
            view.rings[choice.channel] = longer
        case Step():
            view.torn |= view.steps.setdefault(choice.channel, choice) != choice
        case Places():
            for channel, parent in choice.parents:
                place = (choice.rank, parent)
                view.torn |= view.parents.setdefault(channel, place) != place
        case Edge():
            view.edges.append(choice)
        case ChannelCounts():
            view.counts |= dict(choice.counts)
        case Connected():
            view.connected.add(choice.what)
        case _:
            pass


def _contradict(views: list[_View]) -> bool:
    """Whether views taken for one communicator cannot be of one: two processes of a rank, two rings of a channel."""
    ranks = [view.rank for view in views if view.rank is not None]
    places = Counter((channel, rank) for view in views for channel, (rank, _) in view.parents.items())
    rings = {(ring.channel, ring.ranks) for view in views for ring in view.rings.values() if ring.whole}
    return (
        len(set(ranks)) < len(ranks)
        or max(places.values(), default=1) > 1
        or len({channel for channel, _ in rings}) < len(rings)
    )


def _wiring(views: list[_View], log: WiringLog, warnings: list[str]) -> ChosenWiring:
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


def _largest(views: list[_View]) -> int | None:
    """Size of a communicator of which no line says it: as many as ranks are named."""
    named = [rank for view in views for ring in view.rings.values() for rank in ring.ranks]
    named += [rank for view in views for step in view.steps.values() for rank in (step.before, step.rank, step.behind)]
    named += [rank for view in views for place in view.parents.values() for rank in place]
    named += [rank for view in views for edge in view.edges for rank in (edge.source, edge.target)]
    return max(named) + 1 if named else None


def _rings(views: list[_View], n_ranks: int | None) -> tuple[tuple[ChosenChannel, ...], int]:
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


def _trees(views: list[_View]) -> Iterator[ChosenChannel]:
    trees: dict[int, dict[int, int]] = {}
    for view in views:
        for channel, (rank, parent) in view.parents.items():
            trees.setdefault(channel, {})[rank] = parent
    for _, parents in sorted(trees.items()):
        ranks = tuple(sorted(parents))
        yield ChosenChannel(ranks, None, None, tuple(parents[rank] for rank in ranks))


def _edges(views: list[_View], log: WiringLog) -> Iterator[ChosenEdge]:
    """Each edge once: its sender and its receiver print it."""
    found: dict[tuple[int, int, int, int], ChosenEdge] = {}
    for view in views:
        nic_of = _named(view.host, log)
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


def _named(host: str, log: WiringLog) -> Callable[[Edge], str]:
    """What a NIC is called on a host."""

    def nic_of(edge: Edge) -> str:
        # NCCL's plugin for InfiniBand names itself IBext_v8 and prints the same list.
        kind = "IB" if edge.net.startswith("IB") else edge.net
        return log.nics.get((host, kind, edge.dev), f"{edge.net}/{edge.dev}") if edge.net else ""

    return nic_of
