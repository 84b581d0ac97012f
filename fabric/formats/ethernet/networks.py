"""Networks: what cables between switches join; the ports of hosts on them, and those that a job uses."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from collectives.demand import Int64Vector
from fabric.formats.dump import Oddities
from fabric.formats.ethernet.cabling import FABRIC_SWITCH, HOST, Cabling, NamedCable
from fabric.formats.ethernet.rails import HostPort
from fabric.formats.exchanged_planes import crossed_planes
from fabric.formats.infiniband.host_names import natural
from fabric.topology import joined_by

Int64Matrix = npt.NDArray[np.int64]

# Networks are of one kind if the ports that a host has in them differ by less than this factor; assumed: a host has one
# or two ports for storage and management, and more in all for its GPUs.
_ALIKE = 2.0
# Cables between planes are mistakes if they are as few as this, or this part of all; with more than so many pairs of
# switches that have a neighbour in common nothing is parted.  Planes have this part of their hosts in common.  Assumed.
_FEW, _FEW_PART, _MOST_PAIRS = 2, 0.02, 4_000_000
_SAME_HOSTS = 0.75
# A port of a name belongs to a network on which this part of the hosts have it, and as many.  Assumed.
_AGREE, _HOSTS = 0.75, 3
# A port with more cables than this stands for many hosts (SONiC's `Servers eth0`); assumed: one splits into 8 at most.
_MOST_SPLIT = 8


def networks_of(cables: Sequence[NamedCable], kinds: Mapping[str, str]) -> dict[str, int]:
    """A number for each set of switches that cables join, in the order of their names; hosts have -1.

    A few cables between two planes, which are there by mistake, do not make one network of them.
    """
    switches = sorted((device for device, kind in kinds.items() if kind == FABRIC_SWITCH), key=natural)
    place = {device: number for number, device in enumerate(switches)}
    pairs = [(place[one.device], place[one.peer]) for one in cables if one.device in place and one.peer in place]
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    if not switches:
        return dict.fromkeys(kinds, -1)
    part = joined_by(len(switches), ends[:, 0], ends[:, 1])
    hosts: list[set[str]] = [set() for _ in switches]
    for one in cables:
        for device, peer in ((one.device, one.peer), (one.peer, one.device)):
            if device in place and peer not in place:
                hosts[place[device]].add(peer)
    part = _apart(ends, part, hosts)
    for crossed in crossed_planes(ends, switches, hosts):
        for plane in (0, 1):
            own = np.flatnonzero(crossed.plane == plane)
            part[own] = own[0]
    return dict.fromkeys(kinds, -1) | {device: int(part[number]) for number, device in enumerate(switches)}


def _apart(ends: Int64Matrix, part: Int64Vector, hosts: Sequence[set[str]]) -> Int64Vector:
    """Networks, those of planes that a few cables join by mistake parted.

    A cable of a plane is one side of squares (two leaves, two spines); one between planes is none.  Parts are planes if
    each has squares, and most of the hosts of the one are those of the other.
    """
    from scipy.sparse import csr_array

    n = part.size
    if not len(ends):
        return part
    joined: Any = csr_array((np.ones(2 * len(ends)), np.concatenate([ends, ends[:, ::-1]]).T), (n, n))
    joined.data[:] = 1.0
    joined.sum_duplicates()
    joined.data[:] = 1.0
    degree = np.asarray(joined.sum(axis=1)).ravel()
    if min(float(n) ** 2, float((degree**2).sum())) > _MOST_PAIRS:
        return part
    walks = np.asarray((joined @ joined @ joined)[ends[:, 0], ends[:, 1]]).ravel()
    # Of the walks of three steps those to and fro are no squares.
    in_square = walks > degree[ends[:, 0]] + degree[ends[:, 1]] - 1
    parted = joined_by(n, ends[in_square, 0], ends[in_square, 1])
    square = np.unique(parted[ends[in_square, 0]])
    own: list[set[str]] = [set() for _ in range(n)]
    for switch in range(n):
        own[parted[switch]] |= hosts[switch]
    of_part = part[ends[:, 0]]
    for component in np.unique(of_part[~in_square]):
        inside = of_part == component
        alone = np.flatnonzero(inside & ~in_square)
        planes = [
            np.isin(parted[ends[number]], square).all() and _same(*(own[parted[end]] for end in ends[number]))
            for number in alone.tolist()
        ]
        if not all(planes) or alone.size > max(_FEW, _FEW_PART * inside.sum()):
            # They belong to the network as the others do.
            in_square[alone] = True
    return joined_by(n, ends[in_square, 0], ends[in_square, 1])


def _same(one: set[str], other: set[str]) -> bool:
    """Whether two parts have most of their hosts in common, as planes have."""
    return len(one & other) >= _SAME_HOSTS * max(len(one), len(other), 1)


def host_ports(
    cabling: Cabling, kinds: Mapping[str, str], network: Mapping[str, int], odd: Oddities
) -> tuple[list[HostPort], int]:
    """Ports of hosts on switches, and how many cables join two hosts, which are left out.

    Parameters
    ----------
    cabling : Cabling
    kinds : mapping of str to str
        `HOST` or `FABRIC_SWITCH` of each device.
    network : mapping of str to int
        As `networks_of` gives it.
    odd : Oddities
    """
    ports, direct = [], 0
    for number, cable in enumerate(cabling.cables):
        if kinds[cable.device] == kinds[cable.peer] == HOST:
            example = f"{cable.source}: {cable.text()}"
            odd.add("cable between hosts", "cables between two hosts are left out", example)
            direct += 1
        elif kinds[cable.device] == HOST:
            ports.append(HostPort(cable.device, cable.port, cable.peer, network[cable.peer], number))
        elif kinds[cable.peer] == HOST:
            ports.append(HostPort(cable.peer, cable.peer_port, cable.device, network[cable.device], number))
    return _told_apart(ports, cabling), direct


def _told_apart(ports: Sequence[HostPort], cabling: Cabling) -> list[HostPort]:
    """A host for each cable of a port that stands for those of many hosts, called by where it is cabled to."""
    often = Counter((one.host, one.port) for one in ports if one.port)
    found = []
    for one in ports:
        if often[one.host, one.port] > _MOST_SPLIT:
            cable = cabling.cables[one.cable]
            far = cable.peer_port if cable.device == one.host else cable.port
            one = replace(one, host=f"{one.host} at {one.leaf} {far}".rstrip())
        found.append(one)
    return found


def ports_of_the_job(ports: Sequence[HostPort], odd: Oddities) -> list[HostPort]:
    """Ports on the networks that have most of a host's ports: planes with many each, or rails with one each.

    A port that is on a network of the job and on most hosts is not, or the other way round, is cabled wrongly: it is
    left out, and odd.
    """
    counts = Counter((one.network, one.host) for one in ports)
    each: dict[int, list[int]] = {}
    for (network, _), number in counts.items():
        each.setdefault(network, []).append(number)
    usual = {network: Counter(numbers).most_common(1)[0][0] for network, numbers in each.items()}
    of_kind = Counter(usual.values())
    chosen = max(of_kind, key=lambda number: (number * of_kind[number], number))
    own = {network for network, number in usual.items() if 1 / _ALIKE < number / chosen < _ALIKE}
    # Storage's own hosts may call a port as the job's hosts do.
    on_job = Counter(one.host for one in ports if one.network in own)
    all_of = Counter(one.host for one in ports)
    alike = [one for one in ports if 2 * on_job[one.host] > all_of[one.host]]
    home = _homes(alike)
    stray = {one for one in alike if one.port in home and (home[one.port][0] in own) != (one.network in own)}
    plugged: dict[str, dict[str, HostPort]] = {}
    for one in alike if stray else ():
        plugged.setdefault(one.host, {})[one.port] = one
    for one in sorted(stray, key=lambda one: (natural(one.host), natural(one.port))):
        back = [other for other in stray if other.host == one.host and home[other.port][0] == one.network]
        mend = f"; exchange its cable with that of {back[0].port}" if len(back) == 1 else ""
        exchanged = len(back) == 1 and back[0].network == home[one.port][0]
        leaf = back[0].leaf if exchanged else _leaf_of_neighbours(one, plugged, home[one.port])
        example = f"{one.text()} is on {one.leaf}, its place is on {leaf}{mend}"
        text = "ports of hosts are on another network than on most hosts, and are left out"
        odd.add("wrong network", text, example, ((one.host, one.port),))
    return [one for one in ports if one.network in own and one not in stray]


def _leaf_of_neighbours(stray: HostPort, plugged: Mapping[str, Mapping[str, HostPort]], home: tuple[int, str]) -> str:
    """Where a port is on the host that has most of its other ports on the same leaves; else on most hosts."""
    own = {(port, one.leaf) for port, one in plugged[stray.host].items() if port != stray.port}
    best, leaf = 0, home[1]
    for ports in plugged.values():
        there = ports.get(stray.port)
        if there is not None and there.network == home[0]:
            shared = len(own & {(port, one.leaf) for port, one in ports.items()})
            if shared > best:
                best, leaf = shared, there.leaf
    return leaf


def _homes(ports: Sequence[HostPort]) -> dict[str, tuple[int, str]]:
    """Network and a leaf of the ports of a name, where nearly all of several hosts agree on the network."""
    seen: dict[str, Counter[int]] = {}
    leaves: dict[tuple[str, int], Counter[str]] = {}
    for one in ports:
        seen.setdefault(one.port, Counter())[one.network] += 1
        leaves.setdefault((one.port, one.network), Counter())[one.leaf] += 1
    found = {}
    for port, counts in seen.items():
        network, times = counts.most_common(1)[0]
        if port and times >= max(_HOSTS, _AGREE * counts.total()):
            found[port] = (network, leaves[port, network].most_common(1)[0][0])
    return found
