"""Networks: what cables between switches join; the ports of hosts on them, and those that a job uses."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fabric.formats.dump import Oddities
from fabric.formats.ethernet.cabling import FABRIC_SWITCH, HOST, Cabling, NamedCable
from fabric.formats.ethernet.rails import HostPort
from fabric.formats.infiniband.host_names import natural
from fabric.topology import joined_by

# Networks are of one kind if the ports that a host has in them differ by less than this factor; assumed: a host has one
# or two ports for storage and management, and more in all for its GPUs.
_ALIKE = 2.0
# A port with more cables than this stands for many hosts (SONiC's `Servers eth0`); assumed: one splits into 8 at most.
_MOST_SPLIT = 8


def networks_of(cables: Sequence[NamedCable], kinds: Mapping[str, str]) -> dict[str, int]:
    """A number for each set of switches that cables join, in the order of their names; hosts have -1."""
    switches = sorted((device for device, kind in kinds.items() if kind == FABRIC_SWITCH), key=natural)
    place = {device: number for number, device in enumerate(switches)}
    pairs = [(place[one.device], place[one.peer]) for one in cables if one.device in place and one.peer in place]
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    part = joined_by(len(switches), ends[:, 0], ends[:, 1]) if switches else np.zeros(0, np.int64)
    return dict.fromkeys(kinds, -1) | {device: int(part[number]) for number, device in enumerate(switches)}


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


def ports_of_the_job(ports: Sequence[HostPort]) -> list[HostPort]:
    """Ports on the networks that have most of a host's ports: planes with many each, or rails with one each."""
    counts = Counter((one.network, one.host) for one in ports)
    each: dict[int, list[int]] = {}
    for (network, _), number in counts.items():
        each.setdefault(network, []).append(number)
    usual = {network: Counter(numbers).most_common(1)[0][0] for network, numbers in each.items()}
    of_kind = Counter(usual.values())
    chosen = max(of_kind, key=lambda number: (number * of_kind[number], number))
    return [one for one in ports if 1 / _ALIKE < usual[one.network] / chosen < _ALIKE]
