"""A topology out of named cables: hosts and switches told apart, endpoints found, networks of no job left out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.sizes import counted
from fabric.formats.dump import Oddities, Oddity
from fabric.formats.ethernet.assumed_spine import assumed_spines, note_apart
from fabric.formats.ethernet.cabling import FABRIC_SWITCH, HOST, Cabling, NamedCable
from fabric.formats.ethernet.devices import kinds_of
from fabric.formats.ethernet.networks import host_ports, networks_of, ports_of_the_job
from fabric.formats.ethernet.port_numbers import port_numbers
from fabric.formats.ethernet.rails import HostPort, Place, places_by_order, places_by_pattern, switch_planes
from fabric.formats.infiniband.host_names import clean_name, natural
from fabric.topology import ENDPOINT, MAX_GBPS, SWITCH, UNKNOWN, Cables, Nodes, Topology

ASSUMED_GBPS = 400.0
"""Speed of cables where nobody says it: that of the NICs of most clusters of 2024 and 2025 (assumed)."""


@dataclass(frozen=True, eq=False)
class EthernetFabric:
    """A topology made of cabling, and how to find its parts again.

    Attributes
    ----------
    topology : Topology
        `Topology.port_names` has the names of the ports.
    cabling : Cabling
        All of it, also what the topology leaves out.
    host_names : tuple of str
        By host number.
    notes : tuple of str
        What was inferred, assumed, left out.
    oddities : tuple of Oddity
        What looks like a mistake.
    """

    topology: Topology
    cabling: Cabling
    host_names: tuple[str, ...]
    notes: tuple[str, ...]
    oddities: tuple[Oddity, ...]

    @cached_property
    def port_aliases(self) -> dict[tuple[str, int], tuple[str, ...]]:
        """What ports of switches are called besides, by the node's name and the port's number."""
        topology = self.topology
        number_of = {(node, port): number for (node, number), port in topology.port_names.items()}
        return {
            (device, number_of[device, port]): others
            for (device, port), others in self.cabling.other_names.items()
            if (device, port) in number_of
        }


def ethernet_fabric(
    cabling: Cabling,
    name: str,
    host_pattern: str | None = None,
    speed_gbps: float | None = None,
    assume_spine: float | None = None,
) -> EthernetFabric:
    """Find hosts, rails, planes and tiers, and number the nodes.

    An endpoint is a host's rail, with all of its ports.  Endpoints are numbered by host and rail, then come switches
    by name.  Networks where hosts have few ports (storage, management) are left out, and said; `host_pattern` chooses
    others.

    Parameters
    ----------
    cabling : Cabling
    name : str
        Of the topology.
    host_pattern : str, optional
        Regular expression with a group ``host``, and perhaps ``rail`` and ``plane``, for a host's name, a blank and its
        port; ports that it does not fit are left out.
    speed_gbps : float, optional
        Of cables without one.
    assume_spine : float, optional
        Join leaves that no cable joins by spines that nobody shows (`assumed_spines`): capacity down over up.

    Raises
    ------
    InputError
        If there is no host, the pattern fits no port, or `speed_gbps` or `assume_spine` is not needed.
    """
    odd = Oddities(cabling.source)
    kinds, how = kinds_of(_with_pattern(cabling, host_pattern))
    network = networks_of(cabling.cables, kinds)
    ports, direct = host_ports(cabling, kinds, network, odd)
    if not ports:
        raise InputError(f"{cabling.source}: no cable between a host and a switch; {how}")
    if host_pattern is not None:
        places = places_by_pattern(ports, host_pattern)
    else:
        ports = ports_of_the_job(ports, odd)
        places = places_by_order(ports)
    kept = [one for one in ports if one in places]
    networks = {one.network for one in kept}
    switches = sorted(
        (device for device, kind in kinds.items() if kind == FABRIC_SWITCH and network[device] in networks), key=natural
    )
    between = [
        number
        for number, cable in enumerate(cabling.cables)
        if kinds[cable.device] == kinds[cable.peer] == FABRIC_SWITCH and network[cable.device] in networks
    ]
    chosen = sorted({*between, *(one.cable for one in kept)})
    left_out = _left_out(cabling, kinds, network, networks, chosen, direct, host_pattern)
    gbps, said = _speeds([cabling.cables[number] for number in chosen], cabling.source, speed_gbps)
    topology, host_names = _topology(name, cabling, kept, places, switches, network, chosen, gbps)
    assumed: list[str] = []
    if assume_spine is not None:
        topology, note = assumed_spines(topology, assume_spine, cabling.source)
        assumed.append(note)
    else:
        note_apart(cabling, kinds, odd)
    notes = [*assumed, _rails_said(topology, places, host_pattern), *left_out, *said, how, *cabling.notes]
    tiers = np.unique(topology.nodes.tier[topology.nodes.kind == SWITCH], return_counts=True)
    counts = ", ".join(f"{count} in tier {tier}" for tier, count in zip(*tiers, strict=True))
    notes.append(f"tiers of switches are their distance from the leaves, which most of their kind show: {counts}")
    oddities = (*cabling.oddities, *odd.all())
    return EthernetFabric(topology, cabling, host_names, (*notes, *(each.note() for each in oddities)), oddities)


def _with_pattern(cabling: Cabling, pattern: str | None) -> Cabling:
    """The devices that a pattern fits are hosts, whatever they look like, unless it fits all."""
    if pattern is None:
        return cabling
    ends = [
        HostPort(device, port, "", 0, number)
        for cable in cabling.cables
        for number, (device, port) in enumerate(((cable.device, cable.port), (cable.peer, cable.peer_port)))
    ]
    hosts = {one.host: HOST for one in places_by_pattern(ends, pattern)}
    if len(hosts) == len({one.host for one in ends}):
        # It fits any name, and tells nothing apart.
        return cabling
    return replace(cabling, kinds={**cabling.kinds, **hosts})


def _left_out(
    cabling: Cabling,
    kinds: Mapping[str, str],
    network: Mapping[str, int],
    networks: set[int],
    chosen: Sequence[int],
    direct: int,
    pattern: str | None,
) -> list[str]:
    missing = len(cabling.cables) - len(chosen) - direct
    if not missing:
        return []
    kept = {end for number in chosen for end in (cabling.cables[number].device, cabling.cables[number].peer)}
    switches = [device for device, kind in kinds.items() if kind == FABRIC_SWITCH and network[device] not in networks]
    hosts = [device for device, kind in kinds.items() if kind == HOST and device not in kept]
    why = (
        "of networks that few of the hosts' ports are on" if pattern is None else "which --host-pattern does not choose"
    )
    said = [f"{counted(missing, 'cable')} of {len(cabling.cables):,} left out, {why}"]
    for what, names in (("switches", switches), ("hosts", hosts)):
        if names:
            said.append(f"{len(names):,} {what} with them ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})")
    return [f"{', '.join(said)}{'; --host-pattern chooses others' if pattern is None else ''}"]


def _speeds(cables: Sequence[NamedCable], source: str, given: float | None) -> tuple[list[float], list[str]]:
    """Gb/s of each cable, and what was assumed."""
    known = [cable.gbps for cable in cables if cable.gbps is not None]
    without = len(cables) - len(known)
    if given is not None and not 0 < given <= MAX_GBPS:
        raise InputError(f"speed_gbps {given:g}: expected more than 0, and at most {MAX_GBPS:g}")
    if given is not None and not without:
        raise InputError(f"{source}: the speed of every cable is in the file; expected no other one (--speed)")
    if not without:
        return [float(gbps) for gbps in known], []
    usual = max(sorted(set(known)), key=known.count, default=None)
    speed = given if given is not None else ASSUMED_GBPS if usual is None else usual
    which = "no cable has a speed: all" if without == len(cables) else f"{counted(without, 'cable')} without a speed"
    if given is not None:
        why = "as --speed says"
    elif usual is None:
        why = "assumed, so that loads are right and times are to scale; --speed says another one"
    else:
        why = "the most frequent one; --speed says another one"
    said = f"{which} taken as {speed:g} Gb/s, {why}"
    return [speed if cable.gbps is None else cable.gbps for cable in cables], [said]


def _rails_said(topology: Topology, places: Mapping[HostPort, Place], pattern: str | None) -> str:
    rails = len({place.rail for place in places.values()})
    planes = len({place.plane for place in places.values()} - {UNKNOWN})
    hosts = len({place.host for place in places.values()})
    how = "names and order of ports" if pattern is None else f"pattern {quoted(pattern)}"
    said = f"hosts and rails are read from {how}: {counted(hosts, 'host')}, {counted(rails, 'rail')}"
    return f"{said}, {counted(planes, 'plane')}" if planes else said


def _topology(
    name: str,
    cabling: Cabling,
    ports: Sequence[HostPort],
    places: Mapping[HostPort, Place],
    switches: Sequence[str],
    network: Mapping[str, int],
    chosen: Sequence[int],
    gbps: Sequence[float],
) -> tuple[Topology, tuple[str, ...]]:
    groups: dict[tuple[str, int], list[HostPort]] = {}
    for one in ports:
        groups.setdefault((places[one].host, places[one].rail), []).append(one)
    order = sorted(groups, key=lambda key: (natural(key[0]), key[1]))
    labels = _labels(order, groups, switches)
    host_names = tuple(dict.fromkeys(host for host, _ in order))
    host_number = {host: number for number, host in enumerate(host_names)}
    n_endpoints, n_nodes = len(order), len(order) + len(switches)
    node_of_port = {one.cable: number for number, key in enumerate(order) for one in groups[key]}
    node_of_switch = {device: n_endpoints + number for number, device in enumerate(switches)}
    planes = switch_planes(places)
    unknown = np.full(n_nodes, UNKNOWN, np.int32)
    host, rail, plane, tier = unknown.copy(), unknown.copy(), unknown.copy(), unknown.copy()
    host[:n_endpoints] = [host_number[key[0]] for key in order]
    rail[:n_endpoints] = [key[1] for key in order]
    plane[n_endpoints:] = [planes.get(network[device], UNKNOWN) for device in switches]
    kind = np.full(n_nodes, SWITCH, np.int8)
    kind[:n_endpoints] = ENDPOINT
    tier[:n_endpoints] = 0
    nodes = Nodes(labels, kind, tier, host, rail, plane, unknown)
    ends = [_ends(cabling.cables[number], node_of_switch, node_of_port.get(number)) for number in chosen]
    numbers, port_names = port_numbers(labels, ends, range(n_endpoints, n_nodes))
    capacity = np.array(gbps, np.float64)
    cables = Cables(
        a=np.array([end[0][0] for end in ends], np.int32),
        b=np.array([end[1][0] for end in ends], np.int32),
        a_port=np.array([numbers[end[0]] for end in ends], np.int32),
        b_port=np.array([numbers[end[1]] for end in ends], np.int32),
        ab_gbps=capacity,
        ba_gbps=capacity,
    )
    try:
        return Topology.from_cables(name, nodes, cables, port_names), host_names
    except InputError as error:
        raise InputError(f"{cabling.source}: {error}") from None


def _labels(
    order: Sequence[tuple[str, int]], groups: Mapping[tuple[str, int], list[HostPort]], switches: Sequence[str]
) -> tuple[str, ...]:
    """Names of the nodes: host and port of an endpoint with one port, host and rail of others."""
    alone = all(len(groups[key]) == 1 and groups[key][0].port for key in order)
    found = [clean_name(f"{host} {groups[host, rail][0].port if alone else f'rail{rail}'}") for host, rail in order]
    often = Counter([*found, *map(clean_name, switches)])
    told = [one if often[one] == 1 else f"{one} (rail {rail})" for one, (_, rail) in zip(found, order, strict=True)]
    return (*told, *map(clean_name, switches))


def _ends(
    cable: NamedCable, switches: Mapping[str, int], endpoint: int | None
) -> tuple[tuple[int, str], tuple[int, str]]:
    """Node and port at both ends."""
    one, other = switches.get(cable.device, endpoint), switches.get(cable.peer, endpoint)
    assert one is not None
    assert other is not None
    return (one, cable.port), (other, cable.peer_port)
