"""Which link a port's counters are of: found by GUID and port, by LID and port, or by the node's name and port."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collectives.demand import Int32Vector
from collectives.errors import InputError
from collectives.sizes import counted, numbered
from fabric.formats.counters.snapshot import MISSING, RCV, XMIT, Snapshot
from fabric.formats.infiniband.host_names import clean_name
from fabric.formats.infiniband.subnet import OUTSIDE
from fabric.formats.opening import OpenedFabric
from fabric.formats.port_names import same_ports
from fabric.topology import ENDPOINT, NVLINK, UNKNOWN, BoolVector

NO_LINK = -1

# Of the ports with data at least this part must have a cable in the fabric: assumed, as for forwarding tables.  LIDs
# are numbered from 1 on in every fabric, and most of a small one's are in a large one too.
_SAME_FABRIC, _SAME_FABRIC_BY_LID = 0.5, 0.9

Owner = tuple[str, int | str]
"""How rows were found (GUID, LID, name), and a node's number, or the name of a host whose ports have names."""


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
    notes : tuple of str
        By which other names ports were found, and what stayed open.
    """

    link: Int32Vector
    by: dict[str, int]
    unmatched: int
    examples: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def matched(self) -> int:
        """Ports with a link."""
        return int((self.link != NO_LINK).sum())


def match_ports(snapshot: Snapshot, fabric: OpenedFabric) -> MatchedPorts:
    """Find the link of every port of a snapshot.  O(n_ports + n_links).

    A GUID counts before a LID, a LID before a name.  A port's number or name is the fabric's, or one that other tools
    give it (`same_ports`).  A node that has one port in the fabric is found without its port too.

    Raises
    ------
    InputError
        If the snapshot is of another fabric: says the part of the ports that matched.
    """
    busy = (snapshot.count(XMIT) > 0) | (snapshot.count(RCV) > 0)
    nodes = _Nodes(fabric, snapshot.node)
    rows: dict[Owner, list[int]] = {}
    lost: list[int] = []
    for row, who in enumerate(zip(snapshot.port_guid.tolist(), snapshot.guid.tolist(), snapshot.lid.tolist(),
                                  snapshot.node, snapshot.port.tolist(), strict=True)):  # fmt: skip
        owner = nodes.owner(*who)
        if owner is not None:
            rows.setdefault(owner, []).append(row)
        elif busy[row] and who[-1] != 0 and not nodes.left_out(*who[:3]):
            lost.append(row)
    ports = _Ports(fabric, nodes.of_host)
    link = np.full(snapshot.n_ports, NO_LINK, np.int32)
    by = {"GUID": 0, "LID": 0, "name": 0}
    taken: set[int] = set()
    others: list[int] = []
    for (how, node), own in rows.items():
        met = ports.links(node, snapshot, own, busy)
        for row, found in met.items():
            # Of two that count one port, as two files of ibdiagnet do, the first one is read.
            if found not in taken:
                taken.add(found)
                link[row] = found
                by[how] += 1
        bare = [row for row in own if row not in met and busy[row] and snapshot.port[row] != 0]
        # Interfaces of a device that is the fabric's, beside those that have a cable in it: bonds, VLANs, storage.
        known = how == "name" and bool(met) and any(snapshot.port_name[row] for row in own)
        (others if known else lost).extend(bare)
    lost.sort()
    matched = int((link != NO_LINK).sum())
    examples = tuple(_port_text(snapshot, row) for row in lost[:3])
    least = _SAME_FABRIC_BY_LID if by["LID"] > matched / 2 else _SAME_FABRIC
    notes = [*ports.notes(), *nodes.notes()]
    if others:
        what = counted(len(others), "other interface")
        notes.append(
            f"{what} of the fabric's devices without a cable in it, such as {_port_text(snapshot, min(others))}"
        )
    if not matched or matched < least * (matched + len(lost)):
        share = matched / max(matched + len(lost), 1)
        raise InputError(
            f"{snapshot.source}: {matched:,} of {counted(matched + len(lost), 'port')} with data have a cable in "
            f"{fabric.name} ({share:.0%}); expected counters of this fabric"
            + (f" (not in it: {examples[0]})" if examples else "")
            + "".join(f"; {note}" for note in nodes.notes())
        )
    found_by = {how: number for how, number in by.items() if number}
    return MatchedPorts(link, found_by, len(lost), examples, tuple(notes))


def _port_text(snapshot: Snapshot, row: int) -> str:
    guid, lid = int(snapshot.guid[row]) or int(snapshot.port_guid[row]), int(snapshot.lid[row])
    node = snapshot.node[row] or (f"GUID 0x{guid:016x}" if guid else f"LID {lid}" if lid else "a node without a name")
    port = snapshot.port_name[row] or ("" if snapshot.port[row] == MISSING else str(int(snapshot.port[row])))
    return f"{node} port {port}" if port else node


def _once(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Numbers by a name that only one of them has."""
    listed = list(pairs)
    often = Counter(name for name, _ in listed)
    return {name: number for name, number in listed if often[name] == 1}


def _device(name: str) -> tuple[str, int] | None:
    """Host and number of an adapter: ``node7 mlx5_3``."""
    host, _, device = clean_name(name).lower().rpartition(" ")
    number = device.rpartition("_")[2]
    if not host or not (number.isascii() and number.isdigit() and len(number) < 4):
        return None
    return host.split(":")[0], int(number)


class _Nodes:
    """Nodes by everything that they are known by."""

    def __init__(self, fabric: OpenedFabric, asked: Sequence[str]) -> None:
        topology, origin = fabric.topology, fabric.origin
        nodes = topology.nodes
        # Ports first: an adapter may have the GUID of another's port.
        self._of_guid = {} if origin is None else {**origin.node_of_own_guid, **origin.node_of_guid}
        self._of_lid = {} if origin is None else origin.node_of_lid
        if origin is None:
            self._of_guid = {guid: node for node, guid in enumerate(nodes.guid.tolist()) if guid}
            self._of_lid = {lid: node for node, lid in enumerate(nodes.lid.tolist()) if lid}
        self._of_name = _once((name.lower(), node) for node, name in enumerate(nodes.name))
        self._of_short = _once((name.split(".")[0], node) for name, node in self._of_name.items())
        self._rails = _rails(fabric)
        self.of_host: dict[str, list[int]] = {}
        if topology.port_names:
            for host, node in zip(fabric.host_names(), topology.endpoints.tolist(), strict=True):
                self.of_host.setdefault(host.lower(), []).append(node)
        self._host_of_short = {host.split(".")[0]: host for host in self.of_host}
        rails: dict[str, set[int]] = {}
        for host, rail in self._rails:
            rails.setdefault(host, set()).add(rail)
        # Storage's adapters are numbered among those of rails: then a number is no rail.
        self._mixed = sorted(
            {
                device[0]
                for name in dict.fromkeys(asked)
                if (device := _device(name)) is not None
                for host in [next((one for one in (device[0], device[0].split(".")[0]) if one in rails), None)]
                if host is not None and device[1] not in rails[host]
            }
        )
        self._open = 0

    def owner(self, port_guid: int, guid: int, lid: int, name: str, port: int) -> Owner | None:
        """Whose a row is; None where nobody is known by it."""
        for how, node in (
            ("GUID", self._of_guid.get(port_guid) if port_guid else None),
            ("GUID", self._of_guid.get(guid) if guid else None),
            ("LID", self._of_lid.get(lid) if lid else None),
            ("name", self._named(name) if name else None),
        ):
            if isinstance(node, str) or (node is not None and node >= 0):
                return how, node
        return None

    def left_out(self, port_guid: int, guid: int, lid: int) -> bool:
        """Whether a row is of an adapter that is the fabric's and no endpoint: storage's, SHARP's."""
        known = (self._of_guid.get(port_guid), self._of_guid.get(guid), self._of_lid.get(lid))
        return OUTSIDE in known

    def notes(self) -> list[str]:
        """What could not be told."""
        if not self._open:
            return []
        return [
            f"{numbered(self._open, 'ports are left out')}: adapters of {self._mixed[0]} have other numbers than its "
            "rails, and which is on which rail is not known"
        ]

    def _named(self, name: str) -> int | str | None:
        """A node by its description, or by host and device (``node7.site:9100 mlx5_0``); a host by its name."""
        plain = clean_name(name).lower()
        if plain in self._of_name:
            return self._of_name[plain]
        host, _, device = plain.rpartition(" ")
        if not host:
            host, device = plain, ""
        host = host.split(":")[0]
        for one in dict.fromkeys((host, host.split(".")[0])):
            for known in (f"{one} {device}", f"{one}/{device}", f"{one}_{device}") if device else (one,):
                if known in self._of_name:
                    return self._of_name[known]
            if not device:
                found = self._of_short.get(one)
                if found is not None:
                    return found
                if one in self.of_host or one in self._host_of_short:
                    return one if one in self.of_host else self._host_of_short[one]
                continue
            if one in self._of_name:
                return self._of_name[one]
            adapter = _device(plain)
            if adapter is not None:
                found = self._of_name.get(f"{one} hca-{adapter[1] + 1}")
                if found is None and (one, 0) in self._rails and adapter[0] in self._mixed:
                    self._open += 1
                elif found is None:
                    found = self._rails.get((one, adapter[1]))
                if found is not None:
                    return found
        return None


class _Ports:
    """Links of a node by the number of its port, and by what the port is called."""

    def __init__(self, fabric: OpenedFabric, of_host: Mapping[str, Sequence[int]]) -> None:
        topology = fabric.topology
        self._topology, self._aliases, self._of_host = topology, fabric.port_aliases, of_host
        network = np.flatnonzero(topology.link_kind != NVLINK)
        self._links: dict[int, list[int]] = {}
        for link, node in zip(network.tolist(), topology.link_tail[network].tolist(), strict=True):
            self._links.setdefault(node, []).append(link)
        self._renamed: list[str] = []
        self._example = ""
        self._open: list[str] = []

    def links(self, node: int | str, snapshot: Snapshot, rows: Sequence[int], busy: BoolVector) -> dict[int, int]:
        """The link of each row of a node, or of a host, that has one."""
        nodes = [node] if isinstance(node, int) else self._of_host[node]
        links = [link for one in nodes for link in self._links.get(one, ())]
        if not links:
            return {}
        called = {row: snapshot.port_name[row] or _digits(int(snapshot.port[row])) for row in rows}
        if len(links) == 1:
            # The only one that there is, where one of the two sides has no number.
            bare = [row for row in rows if busy[row]] if len(rows) > 1 else list(rows)
            if len(bare) == 1 and (not called[bare[0]] or self._topology.link_tail_port[links[0]] == UNKNOWN):
                return {bare[0]: links[0]}
        names = [self._names(link) for link in links]
        by_name = _once((name.casefold(), link) for link, own in zip(links, names, strict=True) for name in own if name)
        found = {row: by_name[name.casefold()] for row, name in called.items() if name.casefold() in by_name}
        return found or self._by_other_names(links, names, called, snapshot)

    def notes(self) -> list[str]:
        """By which names ports were found that are not the fabric's, and what stayed open."""
        notes = []
        if self._renamed:
            devices = numbered(len(self._renamed), "devices have ports with other names in the counters")
            notes.append(f"{devices}, such as {self._renamed[0]}: {self._example}")
        if self._open:
            notes.append(
                f"{numbered(len(self._open), 'devices have ports whose names could be several of the fabric')}, such "
                f"as {self._open[0]}; left out"
            )
        return notes

    def _by_other_names(
        self, links: Sequence[int], names: Sequence[Sequence[str]], called: Mapping[int, str], snapshot: Snapshot
    ) -> dict[int, int]:
        rows = [row for row, name in called.items() if name]
        device = self._topology.nodes.name[self._topology.link_tail[links[0]]]
        best: dict[int, int] = {}
        unsure = 0
        sides = [tuple(own[min(number, len(own) - 1)] for own in names) for number in range(max(map(len, names)))]
        for known in dict.fromkeys(sides):
            met = same_ports(known, [called[row] for row in rows])
            if len(met.place) > len(best):
                best = met.place
                shown = next(iter(best.items()))
                self._example = f"{called[rows[shown[0]]]} is {known[shown[1]]}"
            unsure = max(unsure, met.open)
        if best:
            self._renamed.append(device)
        elif unsure:
            self._open.append(f"{device} {called[rows[0]]}")
        return {rows[row]: links[place] for row, place in best.items()}

    def _names(self, link: int) -> tuple[str, ...]:
        """What the port by which a link leaves is called; first its usual name, or its number."""
        topology = self._topology
        node, port = int(topology.link_tail[link]), int(topology.link_tail_port[link])
        return (topology.port_name(node, port), *self._aliases.get((topology.nodes.name[node], port), ()))


def _digits(port: int) -> str:
    return "" if port == MISSING else str(port)


def _rails(fabric: OpenedFabric) -> dict[tuple[str, int], int]:
    """Endpoint's node of each host and number of its device, where rails are numbered so."""
    topology = fabric.topology
    assert (topology.nodes.kind[topology.endpoints] == ENDPOINT).all()
    return {
        (host.lower(), int(rail)): int(node)
        for host, rail, node in zip(fabric.host_names(), topology.endpoint_rail, topology.endpoints, strict=True)
        if rail != UNKNOWN
    }
