"""A lever of the cables that there are: some moved to free ports, from where they do least to where they do most."""

from collections.abc import Iterator

from collectives.errors import InputError
from collectives.sizes import counted
from fabric.formats.free_ports import FreePort, free_ports
from fabric.routing.policies import Lft
from fabric.studies.advice.lever import Case, Change, Cost, NotTried, Proposal
from fabric.studies.advice.mend import FABRIC_FILE, WRITE_FABRIC
from fabric.studies.advice.move_search import Move, find_moves, moved
from fabric.topology import ISL, Topology

_NOT_LIMITING = "cables between switches are not what limits"


def move_cables(case: Case) -> Iterator[Proposal]:
    """Cables with little to carry put into free ports of the switches whose cables have most to carry."""
    lever, scenario = "moving cables to free ports", case.scenario
    free = free_ports(scenario.fabric) if case.switches_matter and case.evidence.kind == ISL else None
    if case.evidence.kind != ISL:
        yield NotTried(lever, Cost.RECABLING, _NOT_LIMITING)
        return
    if free is None or not any(free.values()):
        said = "no port of a switch is free" if free is not None else "the file does not say which ports are free"
        yield NotTried(lever, Cost.RECABLING, said)
        return
    try:
        moves = find_moves(scenario, free)
        if not moves:
            yield NotTried(lever, Cost.RECABLING, "no cable with less to carry makes it faster elsewhere")
            return
        how = _how(scenario.topology, moves)
        changed = moved(scenario, moves, how)
    except InputError as error:
        yield NotTried(lever, Cost.RECABLING, str(error))
        return
    name = f"moving {counted(len(moves), 'cable')} to free ports"
    # Tables of a dump are not those of a file with other cables.
    repeatable = not isinstance(changed.routing, Lft)
    yield Change(name, Cost.RECABLING, how, changed, before=WRITE_FABRIC, fabric=FABRIC_FILE, repeatable=repeatable)


def _how(topology: Topology, moves: tuple[Move, ...]) -> str:
    """Each cable with its ports, and where its ends go."""
    return f"move {'; '.join(_text(topology, one) for one in moves)}; other jobs may need them where they are"


def _text(topology: Topology, move: Move) -> str:
    names = topology.nodes.name
    cable = topology.link_name(move.link).replace(" -> ", " - ")
    low, high = _end(names[move.low], move.low_port), _end(names[move.high], move.high_port)
    if move.high_port is None:
        return f"{cable}: its lower end to {low}"
    return f"{cable}: {f'to {low} - {high}' if move.low_port is not None else f'its upper end to {high}'}"


def _end(name: str, port: FreePort | None) -> str:
    return name if port is None else f"{name} {port.name}"
