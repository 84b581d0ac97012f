"""Cables between named ports of named devices: what every reader of this folder makes, and what a plan is.

A cable has no direction; which devices are switches, and which ports are rails, is found later (`ethernet_fabric`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted, real
from collectives.sizes import counted
from fabric.formats.capacities import capacities
from fabric.formats.dump import Oddities, Oddity
from fabric.formats.infiniband.host_names import clean_name, natural

HOST, FABRIC_SWITCH = "host", "switch"

# A DNS name has at most 253 characters, an interface of Linux 15, a description in LLDP 255 (IEEE 802.1AB, 9.5).
_LONGEST = 256
SWITCH_PORT = re.compile(
    r"(?:swp|ethernet|eth\d+/|etp|et-|xe-|ge-|gi(?:gabit)?|te(?:n)?g|fo(?:rty)?g|hu(?:ndred)?g|(?:port|blade)[ _-]?\d)"
    r"[\w/:. -]*"
    r"|eth\d+/[\w/:]*",
    re.IGNORECASE | re.ASCII,
)
"""Ports of switches: Cumulus, SONiC, EOS, NX-OS, Junos, IOS and UFM name them so."""
_MANAGEMENT = re.compile(
    r"(?:mgmt|management|me|ma|fxp|bmc|ipmi|i?drac|ilo|imm|xcc|oob|usb)[ _/-]?\d*(?:[/.]\d+)*", re.IGNORECASE | re.ASCII
)
# Gb/s of a bare number that is believed; assumed: no cable of such a cluster is slower or faster.
_LEAST_BARE, _MOST_BARE = 1.0, 10_000.0
# The management port of Cumulus Linux and SONiC; of a host it may be any port.
_SWITCH_MANAGEMENT = re.compile(r"eth[0-9]", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class NamedCable:
    """A cable.

    Attributes
    ----------
    device, port : str
        One end; a port that nobody names is empty.
    peer, peer_port : str
        The other one.
    gbps : float or None
        Gb/s each way, None where it is not said.
    source : str
        File and line, or file and key, that say it.
    """

    device: str
    port: str
    peer: str
    peer_port: str
    gbps: float | None
    source: str

    def text(self) -> str:
        """It as a person finds it: ``leaf01 swp31 - spine01 swp1``."""
        return f"{f'{self.device} {self.port}'.strip()} - {f'{self.peer} {self.peer_port}'.strip()}"

    def ends(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Device and port of both ends, the smaller one first."""
        one, other = sorted([(self.device, self.port), (self.peer, self.peer_port)])
        return one, other


@dataclass(frozen=True, eq=False)
class Cabling:
    """The cables of a file, or of the files of many devices.

    Attributes
    ----------
    source : str
    cables : tuple of NamedCable
        Each once, in the order of the source.
    kinds : mapping of str to str
        `HOST` or `FABRIC_SWITCH` of the devices of which the source says it.
    notes : tuple of str
        What was assumed or left out.
    oddities : tuple of Oddity
        What looks like a mistake.
    other_names : mapping of (str, str) to tuple of str
        What ports are called besides, by device and port: SONiC's aliases, descriptions.
    telling : frozenset of str or None
        Devices that say what they see; None where the source is not made of what devices say.
    ports : mapping of str to tuple of str
        All ports of the devices of which the source says them, with a cable or without.
    """

    source: str
    cables: tuple[NamedCable, ...]
    kinds: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    oddities: tuple[Oddity, ...] = ()
    other_names: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    telling: frozenset[str] | None = None
    ports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def free_ports(self, device: str) -> tuple[str, ...] | None:
        """Ports of a device that no cable is in, in their order; None where the source does not say which it has."""
        if device not in self.ports:
            return None
        used = {end[1] for cable in self.cables for end in cable.ends() if end[0] == device}
        return tuple(sorted((port for port in self.ports[device] if port not in used), key=natural))


def assembled(
    source: str | Path,
    cables: Iterable[NamedCable],
    odd: Oddities,
    kinds: Mapping[str, str] | None = None,
    notes: Iterable[str] = (),
    other_names: Mapping[tuple[str, str], tuple[str, ...]] | None = None,
    telling: Iterable[str] | None = None,
    ports: Mapping[str, tuple[str, ...]] | None = None,
) -> Cabling:
    """Each cable once, without those of management ports and those that lead back to their device; the rest is said.

    Ports of management are those that are named so (``mgmt0``, ``bmc``, ``ipmi``, ...), and ``eth0`` to ``eth9`` of a
    device that has ports of a switch (``swp1``, ``Ethernet0``).

    Raises
    ------
    InputError
        If a device has no name, or a name is longer than any that is real; if no cable is left.
    """
    checked = [_checked(cable) for cable in cables]
    heard = None if telling is None else frozenset(map(clean_name, telling))
    spelt = one_spelling((name for cable in checked for name in (cable.device, cable.peer)), heard or ())
    given = [
        replace(cable, device=spelt.get(cable.device, cable.device), peer=spelt.get(cable.peer, cable.peer))
        if cable.device in spelt or cable.peer in spelt
        else cable
        for cable in checked
    ]
    switches = {
        device
        for cable in given
        for device, port in ((cable.device, cable.port), (cable.peer, cable.peer_port))
        if SWITCH_PORT.fullmatch(port)
    }
    kept: dict[tuple[tuple[str, str], tuple[str, str]], list[NamedCable]] = {}
    management: list[NamedCable] = []
    for cable in given:
        if cable.device == cable.peer:
            where = f"{cable.source}: {cable.text()}"
            odd.add("loopback cable", "cables from a device to itself are left out", where)
        elif _is_management(cable, switches):
            management.append(cable)
        else:
            kept.setdefault(cable.ends(), []).append(cable)
    said = list(notes)
    left = []
    for ends, same in kept.items():
        # Without ports, cables of the same two devices are parallel ones.
        known = all(port for _, port in ends)
        left += _merged(same, odd) if known else same
    _check_ports(left, odd)
    if management:
        said.append(f"{counted(len(management), 'cable')} of management ports left out, such as {management[0].text()}")
    if not left:
        raise InputError(f"{source}: no cable between two devices; expected some")
    oddities = odd.all()

    def device_of(name: str) -> str:
        clean = clean_name(name)
        return spelt.get(clean, clean)

    named = {device_of(device): kind for device, kind in (kinds or {}).items()}
    others = {
        (device_of(device), clean_name(port)): tuple(map(clean_name, names))
        for (device, port), names in (other_names or {}).items()
    }
    of_devices = {device_of(device): tuple(map(clean_name, own)) for device, own in (ports or {}).items()}
    return Cabling(str(source), tuple(left), named, tuple(said), oddities, others, heard, of_devices)


def one_spelling(names: Iterable[str], first: Iterable[str] = ()) -> dict[str, str]:
    """How devices are called whose names differ by capitals only: as most do, or as `first` has it.

    >>> one_spelling(["Leaf1", "leaf1", "leaf1", "gpu1"])
    {'Leaf1': 'leaf1'}
    """
    times = Counter(names)
    order = [*first, *sorted(times, key=lambda name: -times[name])]
    usual: dict[str, str] = {}
    for name in order:
        usual.setdefault(name.casefold(), name)
    return {name: usual[name.casefold()] for name in times if usual[name.casefold()] != name}


def _checked(cable: NamedCable) -> NamedCable:
    """It with names that break no table."""
    texts = (cable.device, cable.port, cable.peer, cable.peer_port)
    if not all(text.isprintable() and text == text.strip() for text in texts):
        device, port, peer, peer_port = map(clean_name, texts)
        cable = NamedCable(device, port, peer, peer_port, cable.gbps, cable.source)
    for text in (cable.device, cable.port, cable.peer, cable.peer_port):
        if len(text) > _LONGEST:
            raise InputError(f"{cable.source}: {quoted(text)}; expected a name of at most {_LONGEST} letters")
    if not cable.device or not cable.peer:
        raise InputError(f"{cable.source}: a device without a name; expected one at each end of a cable")
    return cable


def _is_management(cable: NamedCable, switches: set[str]) -> bool:
    return any(
        _MANAGEMENT.fullmatch(port) or (device in switches and _SWITCH_MANAGEMENT.fullmatch(port))
        for device, port in ((cable.device, cable.port), (cable.peer, cable.peer_port))
    )


def _merged(same: list[NamedCable], odd: Oddities) -> list[NamedCable]:
    """A cable that is listed several times, once; with the lowest of its speeds."""
    speeds = sorted({cable.gbps for cable in same if cable.gbps is not None})
    if len(speeds) > 1:
        example = f"{same[0].source}: {same[0].text()}: {' and '.join(f'{one:g}' for one in speeds)} Gb/s"
        odd.add("two speeds", "cables have two speeds, of which the lower one is taken", example)
    if not speeds or same[0].gbps == speeds[0]:
        return same[:1]
    first = same[0]
    return [NamedCable(first.device, first.port, first.peer, first.peer_port, speeds[0], first.source)]


def _check_ports(cables: list[NamedCable], odd: Oddities) -> None:
    used = Counter(end for cable in cables for end in cable.ends() if end[1])
    first: dict[tuple[str, str], NamedCable] = {}
    for cable in cables:
        for end in cable.ends():
            if used[end] > 1:
                other = first.setdefault(end, cable)
                if other is not cable:
                    example = f"{cable.source}: {' '.join(end)} has a cable at {other.source} too"
                    odd.add("port used twice", "ports have more than one cable, which are all kept", example)


def speed_gbps(text: str, where: str, bare: float | None = None) -> float:
    """Gb/s of a speed such as ``400G`` or ``400Gbps``, or of a bare number that counts `bare` Gb/s each.

    Raises
    ------
    InputError
        If it is no speed, or a bare number that is none of 1 to 10,000 Gb/s: it may be in another unit.
    """
    stripped = text.strip()
    if bare is not None and stripped[:1].isdigit() and stripped[-1:].isdigit():
        value = real(stripped, where) * bare
        if not _LEAST_BARE <= value <= _MOST_BARE:
            unit = "Gb/s" if bare == 1.0 else "Mb/s"
            raise InputError(f"{where} {quoted(text)}: {value:g} Gb/s if it is in {unit}; expected a unit, as in 400G")
        return value
    try:
        return capacities([stripped], "speed")[0][0]
    except InputError:
        raise InputError(f"{where} {quoted(text)}; expected a speed such as 400G") from None
