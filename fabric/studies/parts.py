"""What a fabric is made of: switches, cables and optics, counted for the scale-out network alone."""

from dataclasses import dataclass

import numpy as np

from fabric.formats.opening import OpenedFabric
from fabric.studies.hotspots import tier_name
from fabric.topology import NIC, NVLINK, SWITCH, UP, Topology

# An optical cable has a transceiver at each end.
ENDS = 2

_SWITCH_NAMES = {1: "leaf", 2: "spine", 3: "core"}


@dataclass(frozen=True)
class Switches:
    """Switches of one tier.

    Attributes
    ----------
    name : str
        ``leaf``, ``spine``, ``core``, or ``tier 4`` and so on.
    tier, count : int
        The tier, 1 next to the endpoints, and how many switches it has.
    model : str or None
        Ports and their speed as the description says, such as ``64x400``; None for a dump, which shows used ports only.
    """

    name: str
    tier: int
    count: int
    model: str | None


@dataclass(frozen=True)
class CableKind:
    """Cables of one tier and speed.

    Attributes
    ----------
    name : str
        As `fabric.studies.hotspots.tier_name`: ``host``, ``leaf-spine``, ``spine-core``.
    count : int
        How many; a cable is two links.
    gbps : float
        Of the faster direction.
    at_host : bool
        Whether one end is a host's NIC.
    """

    name: str
    count: int
    gbps: float
    at_host: bool


@dataclass(frozen=True)
class Parts:
    """Parts of the scale-out network.

    Attributes
    ----------
    endpoints : int
    switches : tuple of Switches
        Tier by tier.
    cables : tuple of CableKind
        Those of the hosts first.
    """

    endpoints: int
    switches: tuple[Switches, ...]
    cables: tuple[CableKind, ...]

    @property
    def n_switches(self) -> int:
        """Switches of all tiers."""
        return sum(one.count for one in self.switches)

    @property
    def n_cables(self) -> int:
        """Cables of all tiers, those of the hosts included."""
        return sum(one.count for one in self.cables)

    @property
    def host_cables(self) -> int:
        """Cables between hosts and switches."""
        return sum(one.count for one in self.cables if one.at_host)

    def optics(self, copper: frozenset[str] | None = None) -> int:
        """Transceivers: one at each end of an optical cable.

        Parameters
        ----------
        copper : frozenset of str, optional
            Tiers whose cables are copper.  Where it is not known, the cables between switches are taken as optical and
            those of the hosts are not counted.
        """
        optical = (one for one in self.cables if (not one.at_host if copper is None else one.name not in copper))
        return ENDS * sum(one.count for one in optical)


def parts_of(fabric: OpenedFabric) -> Parts:
    """Count the parts of a fabric, broken ones too.  NVLink switches and cables are left aside."""
    topology = fabric.whole.topology
    tiers = topology.nodes.tier[topology.nodes.kind == SWITCH]
    models = _models(fabric)
    switches = tuple(
        Switches(_SWITCH_NAMES.get(tier, f"tier {tier}"), tier, count, models.get(tier))
        for tier, count in zip(*(column.tolist() for column in np.unique(tiers, return_counts=True)), strict=True)
    )
    return Parts(topology.n_endpoints, switches, _cable_kinds(topology))


def _models(fabric: OpenedFabric) -> dict[int, str]:
    """Ports and speed of the switches of each tier, as the description says."""
    said = fabric.description
    tables = {} if said is None else {1: said.leaf, 2: said.spine, 3: said.core}
    return {tier: f"{one.radix}x{one.port_gbps:g}" for tier, one in tables.items() if one is not None}


def _cable_kinds(topology: Topology) -> tuple[CableKind, ...]:
    one_way = np.flatnonzero((np.arange(topology.n_links) < topology.link_reverse) & (topology.link_kind != NVLINK))
    gbps = np.maximum(topology.link_capacity_gbps, topology.link_capacity_gbps[topology.link_reverse])
    keys = np.stack([topology.link_kind[one_way], topology.link_tier[one_way], gbps[one_way]])
    kinds, counts = np.unique(keys, axis=1, return_counts=True)
    return tuple(
        CableKind(tier_name(int(kind), int(tier), UP), count, speed, int(kind) == NIC)
        for (kind, tier, speed), count in zip(kinds.T.tolist(), counts.tolist(), strict=True)
    )
