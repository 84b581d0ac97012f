"""Which mend of a fabric's cables matters most, and what it brings: the capacity that it restores, without traffic."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collectives.sizes import counted
from fabric.formats.opening import OpenedFabric
from fabric.studies.advice.mend import place_text
from fabric.studies.advice.repairs import Repair, repairs_of
from fabric.studies.verdicts.words import percent
from fabric.topology import ENDPOINT, ISL, NIC, Topology

# Places of cables that are named in a sentence; `fabric check` names all.  Assumed.
_NAMED = 2
# Of a switch above: its cables are one mend if it has at least so many.  Assumed.
_FEWEST = 3


@dataclass(frozen=True)
class Mend:
    """Cables of one switch, or of one GPU, that are put back or mended together.

    Attributes
    ----------
    node : str
        Whose they are.
    cables : int
        How many.
    text : str
        What to do, and what it restores.
    restored : float
        Part of the full capacity that comes back: upward of the switch below with the largest part, or of a GPU's NICs.
    """

    node: str
    cables: int
    text: str
    restored: float


def best_mend(fabric: OpenedFabric) -> Mend | None:
    """The mend that restores the largest part of a switch's upward capacity, or of a GPU's; None where none is known.

    Parameters
    ----------
    fabric : OpenedFabric
    """
    repairs, topology = repairs_of(fabric), fabric.topology
    if not repairs:
        return None
    lost = np.zeros(topology.n_nodes)
    for one in repairs:
        lost[one.low] += _lost_gbps(topology, one)
    up = np.isin(topology.link_kind, (ISL, NIC)) & (
        topology.nodes.tier[topology.link_tail] < topology.nodes.tier[topology.link_head]
    )
    now = np.bincount(topology.link_tail[up], topology.link_capacity_gbps[up], topology.n_nodes)
    part = np.divide(lost, now + lost, out=np.zeros_like(lost), where=lost > 0)
    highs = {one.high for one in repairs}
    if len(highs) == 1 and len(repairs) >= _FEWEST:
        return _above(topology, repairs, part)
    node = int(part.argmax())
    return _below(topology, [one for one in repairs if one.low == node], float(part[node]))


def _lost_gbps(topology: Topology, one: Repair) -> float:
    """Capacity upward that the cables between two nodes lack."""
    own = np.arange(topology.out_start[one.low], topology.out_start[one.low + 1])
    own = own[topology.link_head[own] == one.high]
    slow = np.maximum(one.gbps - topology.link_capacity_gbps[own], 0.0).sum() if one.slow else 0.0
    return float(one.missing * one.gbps + slow)


def _below(topology: Topology, own: Sequence[Repair], restored: float) -> Mend:
    name, cables = topology.nodes.name[own[0].low], sum(one.missing + one.slow for one in own)
    what = "capacity to its leaves" if topology.nodes.kind[own[0].low] == ENDPOINT else "upward capacity"
    places = "; ".join(place_text(topology, one) for one in own[:_NAMED]) + ("; ..." if len(own) > _NAMED else "")
    if cables == 1:
        text = f"{_what(own)} {places}: restores {percent(restored)} of {name}'s {what}"
    else:
        text = f"{_what(own)} of {name} ({places}): restores {percent(restored)} of its {what}"
    return Mend(name, cables, text, restored)


def _above(topology: Topology, own: Sequence[Repair], part: np.ndarray) -> Mend:
    """All of one switch above."""
    name, cables = topology.nodes.name[own[0].high], sum(one.missing + one.slow for one in own)
    below = [part[one.low] for one in own]
    least, most = percent(min(below)), percent(max(below))
    of = most if least == most else f"{least} to {most}"
    capacity = f"{of} of the upward capacity of {counted(len(own), 'switch', 'switches')} below"
    return Mend(name, cables, f"{_what(own)} of {name}: restores {capacity}", float(max(below)))


def _what(own: Sequence[Repair]) -> str:
    missing, slow = sum(one.missing for one in own), sum(one.slow for one in own)
    parts = [f"put back the {_cables(missing)}"] if missing else []
    parts += ["mend the slow cable" if slow == 1 else f"mend the {slow:,} slow cables"] if slow else []
    return " and ".join(parts)


def _cables(number: int) -> str:
    return "cable" if number == 1 else f"{number:,} cables"
