"""Which devices are hosts and which are switches: what the source says, else their ports, their names, their cables."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from collectives.errors import InputError
from collectives.gate import quoted
from collectives.sizes import counted
from fabric.formats.ethernet.cabling import FABRIC_SWITCH, HOST, SWITCH_PORT, Cabling

# Interfaces of Linux hosts: kernel and udev names, and those that people give rails.
_HOST_PORT = re.compile(
    r"(?:eth\d|en[opsxP]\w|ib\w?\d|ibp|mlx\d_|rail|gpu|nic|roce|rdma|cx\d|bond|hca|ens|slot|pci)\w*.*",
    re.IGNORECASE | re.ASCII,
)
_SWITCH_NAME = re.compile(
    r"leaf|spine|core|tor\d*\b|super|\bagg|aggr|border|edge|switch|\bsw[-_]?\d|\bsn\d{4}|\bfw|firewall|router|"
    r"\b[lst][-_]?\d+$|\bt[012][-_]",
    re.IGNORECASE | re.ASCII,
)
_HOST_NAME = re.compile(
    r"srv|server|host|node|dgx|hgx|gpu|compute|worker|storage|\bstor|nas\b|cpu|login|\bh\d+$|trainer|cn\d",
    re.IGNORECASE,
)


def kinds_of(cabling: Cabling) -> tuple[dict[str, str], str]:
    """`HOST` or `FABRIC_SWITCH` of each device, and how that was found, in words.

    In this order: what the source says; what most of its ports are called (``swp1`` and ``Ethernet0`` are a switch's,
    ``eth1`` and ``ens1f0np0`` a host's); its name (``leaf``, ``spine``; ``gpu``, ``server``); else hosts are cabled to
    switches only, and to fewer of them than switches are, or have a single neighbour.

    Raises
    ------
    InputError
        If nothing tells which devices are hosts.
    """
    ports: dict[str, list[str]] = {}
    near: dict[str, Counter[str]] = {}
    for cable in cabling.cables:
        for device, port, peer in ((cable.device, cable.port, cable.peer), (cable.peer, cable.peer_port, cable.device)):
            ports.setdefault(device, []).append(port)
            near.setdefault(device, Counter())[peer] += 1
    found = {device: cabling.kinds[device] for device in ports if device in cabling.kinds}
    how = Counter({"what the file says": len(found)})
    for device, own in ports.items():
        for word, kind in (("their ports", _by_ports(own)), ("their names", _by_name(device))):
            if device not in found and kind:
                found[device] = kind
                how[word] += 1
    missing = [device for device in ports if device not in found]
    found |= _by_cables(missing, found, near)
    how["their cables"] = len(missing)
    if HOST not in found.values():
        raise InputError(
            f"{cabling.source}: no host among {counted(len(ports), 'device')}, such as {quoted(next(iter(ports)))}; "
            r"--host-pattern says which they are, such as '(?P<host>gpu\d+) .*'"
        )
    said = ", ".join(f"{word} ({number:,})" for word, number in how.items() if number)
    hosts = sum(kind == HOST for kind in found.values())
    return found, f"{counted(hosts, 'host')} and {counted(len(found) - hosts, 'switch', 'switches')} are told by {said}"


def _by_ports(ports: Sequence[str]) -> str:
    switch = sum(SWITCH_PORT.fullmatch(port) is not None for port in ports)
    host = sum(not SWITCH_PORT.fullmatch(port) and _HOST_PORT.match(port) is not None for port in ports)
    return FABRIC_SWITCH if 2 * switch > len(ports) else HOST if 2 * host > len(ports) else ""


def _by_name(device: str) -> str:
    switch, host = _SWITCH_NAME.search(device), _HOST_NAME.search(device)
    return "" if bool(switch) == bool(host) else FABRIC_SWITCH if switch else HOST


def _by_cables(missing: Sequence[str], known: Mapping[str, str], near: Mapping[str, Counter[str]]) -> dict[str, str]:
    """Kinds of the devices that nothing names."""
    found = dict(known)
    cables = {device: sum(near[device].values()) for device in near}
    switches = [cables[device] for device, kind in known.items() if kind == FABRIC_SWITCH]
    usual = sorted(switches)[len(switches) // 2] if switches else 0
    for device in missing:
        kinds = {found.get(peer) for peer in near[device]}
        if HOST in kinds:
            found[device] = FABRIC_SWITCH
        elif kinds <= {FABRIC_SWITCH}:
            found[device] = HOST if 2 * cables[device] < usual or len(near[device]) == 1 else FABRIC_SWITCH
        else:
            found[device] = HOST if len(near[device]) == 1 else FABRIC_SWITCH
    return {device: found[device] for device in missing}
