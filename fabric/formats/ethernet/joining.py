"""Both ends of a cable, as neighbours tell them, to one cable."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from collectives.sizes import counted
from fabric.formats.dump import Oddities
from fabric.formats.ethernet.cabling import NamedCable, one_spelling

_MAC_LETTERS = frozenset("0123456789abcdefABCDEF:.-")


@dataclass(frozen=True)
class Neighbour:
    """What a device says of one of its ports.

    Attributes
    ----------
    device, port : str
        Who says it, of which port.
    peer : str
        The device at the other end.
    peer_ports : tuple of str
        What the port at the other end is called, the best name first; its other names (alias, description) behind.
    gbps : float or None
    source : str
        File and key.
    """

    device: str
    port: str
    peer: str
    peer_ports: tuple[str, ...]
    gbps: float | None
    source: str

    def text(self) -> str:
        """It as a person reads it."""
        return f"{self.device} {self.port} sees {self.peer} {self.peer_ports[0] if self.peer_ports else ''}".strip()


@dataclass(frozen=True, eq=False)
class JoinedEnds:
    """What `joined` makes.

    Attributes
    ----------
    cables : tuple of NamedCable
        Those that both ends tell, then those that only one does.
    notes : tuple of str
    other_names : dict of (str, str) to tuple of str
        What neighbours call ports besides, by device and port: aliases, descriptions.
    """

    cables: tuple[NamedCable, ...]
    notes: tuple[str, ...]
    other_names: dict[tuple[str, str], tuple[str, ...]]


def joined(said: Iterable[Neighbour], told: Iterable[str], odd: Oddities) -> JoinedEnds:
    """Cables that both ends tell, then those that only one does.

    What is at odds with a cable that both ends tell is left out, as are two claims on a port that exclude each other;
    both are counted as odd.

    Parameters
    ----------
    said : iterable of Neighbour
    told : iterable of str
        Devices that say what they see, also where that is nothing.
    odd : Oddities
    """
    listed = list(said)
    telling = set(told)
    spelt = one_spelling((one.peer for one in listed), telling)
    if spelt:
        listed = [replace(one, peer=spelt.get(one.peer, one.peer)) for one in listed]
    at: dict[tuple[str, str], list[Neighbour]] = {}
    between: dict[tuple[str, str], list[Neighbour]] = {}
    for one in listed:
        at.setdefault((one.device, one.port), []).append(one)
        between.setdefault((one.device, one.peer), []).append(one)
    cables: list[NamedCable] = []
    used: set[tuple[str, str]] = set()
    called: dict[tuple[str, str], tuple[str, ...]] = {}
    rest = []
    for one in listed:
        back = _back(one, between)
        if back is None:
            rest.append(one)
            continue
        ends = {(one.device, one.port), (back.device, back.port)}
        called[back.device, back.port] = one.peer_ports
        if not ends & used:
            speeds = [gbps for gbps in (one.gbps, back.gbps) if gbps is not None]
            if len(set(speeds)) > 1:
                example = f"{one.source}: {one.text()}: {one.gbps:g} and {back.gbps:g} Gb/s"
                odd.add("two speeds", "cables have two speeds, of which the lower one is taken", example)
            cables.append(
                NamedCable(one.device, one.port, back.device, back.port, min(speeds, default=None), one.source)
            )
            used |= ends
    alone = 0
    for one in rest:
        peer_port = next((port for port in one.peer_ports if (one.peer, port) in at), None)
        shown = peer_port if peer_port is not None else one.peer_ports[0] if one.peer_ports else ""
        example = f"{one.source}: {one.text()}"
        if (one.device, one.port) in used:
            odd.add("several neighbours", "neighbours behind a port with another cable are left out", example)
        elif peer_port is not None:
            other = at[one.peer, peer_port][0]
            odd.add("ends disagree", "cables with ends that disagree are left out", f"{example}, but {other.text()}")
        else:
            if one.peer in telling:
                odd.add("one end", "cables are seen at one end only, though the other device tells too", example)
            alone += one.peer not in telling
            called[one.peer, shown] = one.peer_ports
            cables.append(NamedCable(one.device, one.port, one.peer, shown, one.gbps, one.source))
    notes = [f"{counted(alone, 'cable')} seen at one end, as the other device's file is not there"] if alone else []
    return JoinedEnds(tuple(cables), tuple(notes), _other_names(called))


def _other_names(called: Mapping[tuple[str, str], tuple[str, ...]]) -> dict[tuple[str, str], tuple[str, ...]]:
    """What ports are called besides, without addresses and what several ports of a device are called."""
    often = Counter((device, name) for (device, _), names in called.items() for name in set(names))
    return {
        (device, port): others
        for (device, port), names in called.items()
        if (others := tuple(name for name in names if name != port and not _is_mac(name) and often[device, name] == 1))
    }


def _back(one: Neighbour, between: Mapping[tuple[str, str], list[Neighbour]]) -> Neighbour | None:
    """What the other device says of the same cable."""
    towards = [
        back for back in between.get((one.peer, one.device), ()) if one.port in back.peer_ports or _nameless(back)
    ]
    exact = [back for back in towards if back.port in one.peer_ports]
    if exact:
        return exact[0]
    # A port that is known by its MAC address only: the other end tells its name.
    return towards[0] if _nameless(one) and len(towards) == 1 else None


def _nameless(one: Neighbour) -> bool:
    """Whether the other end's port is a MAC address, or nothing."""
    return all(_is_mac(port) for port in one.peer_ports)


def _is_mac(name: str) -> bool:
    return len(name) in (0, 14, 17) and set(name) <= _MAC_LETTERS
