"""Which link a port's counters are of: found by GUID and port, by LID and port, or by the node's name and port."""

from dataclasses import dataclass

import numpy as np

from collectives.demand import Int32Vector
from collectives.errors import InputError
from collectives.sizes import counted
from fabric.formats.counters.snapshot import MISSING, RCV, XMIT, Snapshot
from fabric.formats.infiniband.host_names import clean_name
from fabric.formats.opening import OpenedFabric
from fabric.topology import ENDPOINT, NVLINK, UNKNOWN

NO_LINK = -1

# Of the ports with data at least this part must have a cable in the fabric: assumed, as for forwarding tables.  LIDs
# are numbered from 1 on in every fabric, and most of a small one's are in a large one too.
_SAME_FABRIC, _SAME_FABRIC_BY_LID = 0.5, 0.9


@dataclass(frozen=True, eq=False)
class MatchedPorts:
    """Rows of a snapshot with the links that leave by their ports.

    Attributes
    ----------
    link : (n_ports,) int32
        The link whose tail the port is; `NO_LINK` for ports without a cable in the fabric.
    by : dict of str to int
        How many were found by GUID, LID and name.
    unmatched : int
        Ports with data that have no cable in the fabric.
    examples : tuple of str
        Of those, the first ones.
    """

    link: Int32Vector
    by: dict[str, int]
    unmatched: int
    examples: tuple[str, ...]

    @property
    def matched(self) -> int:
        """Ports with a link."""
        return int((self.link != NO_LINK).sum())


def match_ports(snapshot: Snapshot, fabric: OpenedFabric) -> MatchedPorts:
    """Find the link of every port of a snapshot.  O(n_ports + n_links).

    A GUID counts before a LID, a LID before a name.  A node that has one port in the fabric is found without the port's
    number too.

    Raises
    ------
    InputError
        If the snapshot is of another fabric: says the part of the ports that matched.
    """
    finder = _Finder(fabric)
    link = np.full(snapshot.n_ports, NO_LINK, np.int32)
    by = {"GUID": 0, "LID": 0, "name": 0}
    taken: set[int] = set()
    guids, port_guids, lids = snapshot.guid.tolist(), snapshot.port_guid.tolist(), snapshot.lid.tolist()
    ports = snapshot.port.tolist()
    for row, name in enumerate(snapshot.node):
        how, found = finder.find(port_guids[row], guids[row], lids[row], name, ports[row])
        if found != NO_LINK and found not in taken:
            taken.add(found)
            link[row] = found
            by[how] += 1
    busy = (snapshot.count(XMIT) > 0) | (snapshot.count(RCV) > 0)
    lost = np.flatnonzero((link == NO_LINK) & busy & (snapshot.port != 0))
    matched = int((link != NO_LINK).sum())
    examples = tuple(_port_text(snapshot, int(row)) for row in lost[:3])
    least = _SAME_FABRIC_BY_LID if by["LID"] > matched / 2 else _SAME_FABRIC
    if not matched or matched < least * (matched + lost.size):
        share = matched / max(matched + lost.size, 1)
        raise InputError(
            f"{snapshot.source}: {matched:,} of {counted(matched + int(lost.size), 'port')} with data have a cable in "
            f"{fabric.name} ({share:.0%}); expected counters of this fabric"
            + (f" (not in it: {examples[0]})" if examples else "")
        )
    return MatchedPorts(link, {how: number for how, number in by.items() if number}, int(lost.size), examples)


def _port_text(snapshot: Snapshot, row: int) -> str:
    guid, lid = int(snapshot.guid[row]) or int(snapshot.port_guid[row]), int(snapshot.lid[row])
    node = snapshot.node[row] or (f"GUID 0x{guid:016x}" if guid else f"LID {lid}" if lid else "a node without a name")
    return f"{node} port {int(snapshot.port[row])}" if snapshot.port[row] != MISSING else node


class _Finder:
    """Nodes by everything that they are known by, and links by node and port."""

    def __init__(self, fabric: OpenedFabric) -> None:
        topology = fabric.topology
        nodes = topology.nodes
        self._links: dict[tuple[int, int], int] = {}
        self._only: dict[int, int] = {}
        self._numbered: set[int] = set()
        network = np.flatnonzero(topology.link_kind != NVLINK)
        for link, node, port in zip(
            network.tolist(),
            topology.link_tail[network].tolist(),
            topology.link_tail_port[network].tolist(),
            strict=True,
        ):
            if port != UNKNOWN:
                self._links[node, port] = link
                self._numbered.add(node)
            self._only[node] = NO_LINK if node in self._only else link
        origin = fabric.origin
        # Ports first: an adapter may have the GUID of another's port.
        self._of_guid = {} if origin is None else {**origin.node_of_own_guid, **origin.node_of_guid}
        self._of_lid = {} if origin is None else origin.node_of_lid
        if origin is None:
            self._of_guid = {guid: node for node, guid in enumerate(nodes.guid.tolist()) if guid}
            self._of_lid = {lid: node for node, lid in enumerate(nodes.lid.tolist()) if lid}
        self._of_name = {name.lower(): node for node, name in enumerate(nodes.name)}
        self._rails = _rails(fabric)

    def find(self, port_guid: int, guid: int, lid: int, name: str, port: int) -> tuple[str, int]:
        """How it was found, and the link."""
        for how, node in (
            ("GUID", self._of_guid.get(port_guid) if port_guid else None),
            ("GUID", self._of_guid.get(guid) if guid else None),
            ("LID", self._of_lid.get(lid) if lid else None),
            ("name", self._named(name) if name else None),
        ):
            if node is not None and node >= 0:
                return how, self._link(node, port)
        return "", NO_LINK

    def _link(self, node: int, port: int) -> int:
        link = self._links.get((node, port))
        if link is not None:
            return link
        # A port without a number on one of the two sides: the only one that there is.
        return self._only.get(node, NO_LINK) if port == MISSING or node not in self._numbered else NO_LINK

    def _named(self, name: str) -> int | None:
        """A node by its description, or by host and device (``node7.site:9100 mlx5_0``)."""
        plain = clean_name(name).lower()
        if plain in self._of_name:
            return self._of_name[plain]
        host, _, device = plain.rpartition(" ")
        if not host:
            host, device = plain, ""
        host = host.split(":")[0]
        for one in dict.fromkeys((host, host.split(".")[0])):
            for known in (f"{one} {device}", f"{one}/{device}", f"{one}_{device}", one) if device else (one,):
                if known in self._of_name:
                    return self._of_name[known]
            number = device.rpartition("_")[2]
            if number.isascii() and number.isdigit() and len(number) < 4:
                found = self._of_name.get(f"{one} hca-{int(number) + 1}", self._rails.get((one, int(number))))
                if found is not None:
                    return found
        return None


def _rails(fabric: OpenedFabric) -> dict[tuple[str, int], int]:
    """Endpoint's node of each host and number of its device, where rails are numbered so."""
    topology = fabric.topology
    assert (topology.nodes.kind[topology.endpoints] == ENDPOINT).all()
    return {
        (host.lower(), int(rail)): int(node)
        for host, rail, node in zip(fabric.host_names(), topology.endpoint_rail, topology.endpoints, strict=True)
        if rail != UNKNOWN
    }
