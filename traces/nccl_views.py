"""Whose a line of NCCL's and RCCL's debug logs is: what each process prints of each of its communicators.

Most lines do not say of which communicator they are.  Those of its making stand in a thread between its Init lines;
ranks of newer versions connect later, when a communicator is first used: such a line is of the communicator whose rank
it says is its own, and of several such of the one whose operation the process printed last.  What fits none is counted.
"""

from collections import Counter
from dataclasses import dataclass, field

from traces.nccl_chosen import ChosenAlgorithm
from traces.nccl_log_lines import Line, init_of
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


@dataclass(eq=False)
class View:
    """A communicator as one process sees it.

    Attributes
    ----------
    host : str
    pointer : str
        In the process; empty where no line said it.
    group : str
        Its identity; empty where no line said it.
    rank, n_ranks : int or None
    rings, steps : dict of int to Ring or Step
        By channel.
    parents : dict of int to (int, int)
        By channel a rank and its parent in the tree.
    edges : list of Edge
    counts : dict of str to int
        Of channels.
    connected : set of str
    torn : bool
        Whether a channel has two rings, or its rank two places in a tree: it is several communicators' then.
    """

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

    def holds(self, choice: Choice) -> bool:
        """Whether a line can be of this communicator and rank."""
        own, ranks = _ranks_of(choice)
        return own is None or (self.rank in (None, own) and (self.n_ranks is None or max(ranks) < self.n_ranks))


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
    """What was read so far: see `collect`.

    Attributes
    ----------
    views : dict
        By process and pointer: what a pointer is now.
    every : list of View
        Those that are gone too.
    current : dict
        What a thread is making.
    used : dict
        Of which the last operation of a process was.
    nics : dict of (str, str, str) to str
        Names by host, kind of network and number.
    algorithms : Counter of ChosenAlgorithm
    lost : int
        Lines of nobody.
    """

    views: dict[_Process, dict[str, View]] = field(default_factory=dict)
    every: list[View] = field(default_factory=list)
    current: dict[tuple[str, int, int], View] = field(default_factory=dict)
    used: dict[_Process, View] = field(default_factory=dict)
    nics: dict[tuple[str, str, str], str] = field(default_factory=dict)
    algorithms: Counter[ChosenAlgorithm] = field(default_factory=Counter)
    lost: int = 0


def collect(log: WiringLog, line: Line) -> None:
    """Add what a line says.

    Parameters
    ----------
    log : WiringLog
        Added to.
    line : Line
        In the order of its file.

    Raises
    ------
    InputError
        If a number is none that can be.
    """
    process = (line.process.host, line.process.pid)
    thread = (*process, line.thread)
    if " - Init " in line.text and (init := init_of(line)) is not None:
        parent = log.views.get(process, {}).get(init.parent)
        group = init.comm_id or (f"{parent.group} split {init.split}" if parent and parent.group else "")
        log.current[thread] = _named(log, line, init.comm, init.rank, init.n_ranks, group)
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
            log.current[thread] = _named(log, line, choice.comm, choice.rank, choice.n_ranks)
        case _:
            view = named or (_pointed(log, line, pointer) if pointer else _view_of(log, line, thread, choice))
            if view is None:
                log.lost += 1
            else:
                view.rank = _ranks_of(choice)[0] if view.rank is None else view.rank
                view.n_ranks = size_of(line.text) if view.n_ranks is None else view.n_ranks
                _add(view, choice)


def _named(log: WiringLog, line: Line, pointer: str, rank: int, n_ranks: int, group: str = "") -> View:
    """The view of a communicator of which a line says who it is; what the thread said before a COMPLETE is of it."""
    process = (line.process.host, line.process.pid)
    known = log.views.setdefault(process, {}).get(pointer)
    if known is None and "COMPLETE" in line.text:
        known = log.current.get((*process, line.thread))
    if (
        known is None
        or known.rank not in (None, rank)
        or known.n_ranks not in (None, n_ranks)
        or known.pointer not in ("", pointer)
        or (known.group and group and known.group != group)
    ):
        return _new(log, line, pointer, group, rank, n_ranks)
    known.pointer, known.rank, known.n_ranks, known.group = pointer, rank, n_ranks, known.group or group
    log.views[process][pointer] = known
    return known


def _new(
    log: WiringLog,
    line: Line,
    pointer: str,
    group: str = "",
    rank: int | None = None,
    n_ranks: int | None = None,
) -> View:
    view = View(line.process.host, pointer, group, rank, n_ranks)
    log.every.append(view)
    if pointer:
        log.views.setdefault((line.process.host, line.process.pid), {})[pointer] = view
    return view


def _pointed(log: WiringLog, line: Line, pointer: str) -> View:
    """The view of a pointer of which no Init line came before: RCCL's lines name it."""
    thread = (line.process.host, line.process.pid, line.thread)
    view = log.current.get(thread)
    if view is None or view.pointer:
        view = log.current[thread] = _new(log, line, pointer)
    view.pointer = pointer
    log.views.setdefault(thread[:2], {})[pointer] = view
    return view


def _view_of(log: WiringLog, line: Line, thread: tuple[str, int, int], choice: Choice) -> View | None:
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


def _add(view: View, choice: Choice) -> None:
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
