"""Rail and plane of a host's ports: by pattern, else by their order.

A *network* is what cables between switches join.  Where hosts have several ports in each of several networks, as many
in each, the networks are planes: a rail has a port in each of them.  So it is where the ports of one card
(``ens1f0np0``, ``ens1f1np1``) are in different networks.  Else networks that no cable joins are rails of their own.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from collectives.errors import InputError
from collectives.gate import quoted
from fabric.formats.infiniband.host_names import compiled_pattern, natural
from fabric.topology import UNKNOWN

RAIL_PATTERN = (
    r"(?:\w*[._-])?(?:rail|gpu|nic|roce|rdma|mlx\d+_)[_-]?(?P<rail>\d+)(?:[._-]*(?:p|port|plane)?[_-]?(?P<plane>\d+))?"
)
"""Ports that say their rail: ``rail3``, ``gpu3-p1``, ``roce_3``, ``mlx5_3``; a number behind it is the plane."""

_RAIL = re.compile(RAIL_PATTERN, re.IGNORECASE | re.ASCII)
_CARD = re.compile(r"(?P<card>\w*?\d)[fp_](?P<port>\d{1,2})(?:np\d+)?", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,9}")
_LARGEST = 10**6
# Hosts that name their ports alike have fewer names than this times the ports of one; assumed: some lack a few cables.
_SCATTERED = 2
# A network with a smaller share of the largest one's ports is no plane that lacks leaves, but of another kind; assumed.
_LEAST_OF_A_PLANE = 0.5


@dataclass(frozen=True)
class HostPort:
    """A host's port on a switch.

    Attributes
    ----------
    host, port, leaf : str
    network : int
        That of the leaf.
    cable : int
        Which one it is: without names of ports there may be several alike.
    """

    host: str
    port: str
    leaf: str
    network: int
    cable: int

    def text(self) -> str:
        """What `--host-pattern` is tried on: host and port."""
        return f"{self.host} {self.port}".strip()


@dataclass(frozen=True)
class Place:
    """Where a port belongs.

    Attributes
    ----------
    host : str
    rail, plane : int
        `UNKNOWN` where there is none.
    """

    host: str
    rail: int
    plane: int = UNKNOWN


def places_by_pattern(ports: Sequence[HostPort], pattern: str) -> dict[HostPort, Place]:
    """Places of the ports that a pattern fits; rails and planes that it does not name come by order.

    Raises
    ------
    InputError
        If the pattern is no regular expression with a group ``host``, fits nothing, or its rail is no number.
    """
    wanted = compiled_pattern(pattern)
    fits = {one: match for one in ports if (match := wanted.fullmatch(one.text()))}
    if not fits:
        raise InputError(f"host pattern {quoted(pattern)}: fits no port, such as {quoted(ports[0].text())}")
    hosts = {one: match["host"].strip() or one.host for one, match in fits.items()}
    if "rail" not in wanted.groupindex:
        renamed = {replace(one, host=hosts[one]): one for one in fits}
        return {renamed[one]: place for one, place in places_by_order(list(renamed)).items()}
    return {
        one: Place(
            hosts[one],
            _number(match["rail"], one, "rail"),
            _number(match["plane"], one, "plane") if "plane" in wanted.groupindex and match["plane"] else UNKNOWN,
        )
        for one, match in fits.items()
    }


def places_by_order(ports: Sequence[HostPort]) -> dict[HostPort, Place]:
    """Places by the names of the ports if all say their rail, else by their order among those of all hosts.

    The order counts the names that any host has, so that a port without a cable shifts no rail.
    """
    return _named(ports) or _in_planes(ports) or _on_cards(ports) or _ordered(ports)


def _named(ports: Sequence[HostPort]) -> dict[HostPort, Place]:
    found = {one: match for one in ports if (match := _RAIL.fullmatch(one.port))}
    places = {
        one: Place(one.host, int(match["rail"]), int(match["plane"]) if match["plane"] else UNKNOWN)
        for one, match in found.items()
        if len(match["rail"]) <= 6 and len(match["plane"] or "") <= 6
    }
    twice = Counter((place.host, place.rail, place.plane, one.network) for one, place in places.items())
    return places if len(places) == len(ports) and max(twice.values(), default=0) == 1 else {}


def _in_planes(ports: Sequence[HostPort]) -> dict[HostPort, Place]:
    """Networks as planes, where most hosts have as many ports in each, and more than one."""
    home = _home_networks(ports)
    names: dict[tuple[str, int], set[str]] = {}
    for one in ports:
        if not one.port:
            return {}
        names.setdefault((_family(one.port), home[one.port]), set()).add(one.port)
    networks = sorted({network for _, network in names})
    families = {family for family, _ in names}
    sizes = {len(names.get((family, network), ())) for family in families for network in networks}
    if len(networks) < 2 or max(sizes) < 2:
        return {}
    rail = {port: number for same in names.values() for number, port in enumerate(sorted(same, key=natural))}
    if len(sizes) > 1:
        # A leaf that is missing takes a rail out of its plane: numbers tell which, where they go plane by plane.
        rail = _rails_by_number(names) if len(families) == 1 else {}
    plane = {network: number for number, network in enumerate(networks)}
    return {one: Place(one.host, rail[one.port], plane[home[one.port]]) for one in ports} if rail else {}


def _rails_by_number(names: Mapping[tuple[str, int], set[str]]) -> dict[str, int]:
    """Rail of each port by its number, where each plane has a run of them, as long as that of the largest."""
    number_of = {port: int(digits[-1]) for same in names.values() for port in same if (digits := _DIGITS.findall(port))}
    if len(number_of) < sum(map(len, names.values())):
        return {}
    n_rails = max(map(len, names.values()))
    if min(map(len, names.values())) < n_rails * _LEAST_OF_A_PLANE:
        return {}
    whole = next(same for same in names.values() if len(same) == n_rails)
    first = min(number_of[port] for port in whole)
    blocks = [{(number_of[port] - first) // n_rails for port in same} for same in names.values()]
    alone = all(len(block) == 1 for block in blocks) and len(set.union(*blocks)) == len(blocks)
    return {port: (number - first) % n_rails for port, number in number_of.items()} if alone else {}


def _on_cards(ports: Sequence[HostPort]) -> dict[HostPort, Place]:
    """The ports of a card as planes, where those of every card are in different networks."""
    home = _home_networks(ports)
    cards: dict[str, list[str]] = {}
    for port in home:
        match = _CARD.fullmatch(port)
        if match is None:
            return {}
        cards.setdefault(match["card"], []).append(port)
    networks = {tuple(sorted(home[port] for port in own)) for own in cards.values()}
    each = next(iter(networks), ())
    if len(networks) != 1 or len(each) < 2 or len(set(each)) != len(each):
        return {}
    rail = {port: number for number, card in enumerate(sorted(cards, key=natural)) for port in cards[card]}
    plane = {network: number for number, network in enumerate(each)}
    return {one: Place(one.host, rail[one.port], plane[home[one.port]]) for one in ports}


def _ordered(ports: Sequence[HostPort]) -> dict[HostPort, Place]:
    """By the order of names among all hosts' ports that are named alike; without names, by that of the leaves."""
    families: dict[str, set[str]] = {}
    own: dict[str, list[HostPort]] = {}
    for one in ports:
        families.setdefault(_family(one.port), set()).add(one.port)
        own.setdefault(one.host, []).append(one)
    number_of = {port: number for names in families.values() for number, port in enumerate(sorted(names, key=natural))}
    # Names that hosts do not share, such as MAC addresses, count nothing.
    most: Counter[str] = Counter()
    for mine in own.values():
        for family, number in Counter(_family(one.port) for one in mine).items():
            most[family] = max(most[family], number)
    scattered = {family for family, names in families.items() if len(names) > _SCATTERED * most[family]}
    found: dict[HostPort, Place] = {}
    for host, mine in own.items():
        named = {_family(one.port) for one in mine}
        alike = len(named) == 1 and all(one.port for one in mine) and not named & scattered
        for number, one in enumerate(sorted(mine, key=lambda one: (natural(one.port), natural(one.leaf)))):
            found[one] = Place(host, number_of[one.port] if alike else number)
    return found


def _home_networks(ports: Sequence[HostPort]) -> dict[str, int]:
    """The network of most ports of each name: one that is cabled wrongly shifts nothing."""
    seen: dict[str, Counter[int]] = {}
    for one in ports:
        seen.setdefault(one.port, Counter())[one.network] += 1
    return {port: min(counts, key=lambda network: (-counts[network], network)) for port, counts in seen.items()}


def _family(port: str) -> str:
    """A port's name without its numbers."""
    return re.sub(r"[0-9]+", "#", port)


def _number(text: str | None, port: HostPort, what: str) -> int:
    if not text or not (text.isascii() and text.isdecimal()) or int(text[:9]) > _LARGEST or len(text) > 9:
        raise InputError(f"host pattern: {what} {quoted(text or '')} of {quoted(port.text())}; expected a number")
    return int(text)


def switch_planes(places: Mapping[HostPort, Place]) -> dict[int, int]:
    """Plane of each network, by most of its ports; none where ports have no plane."""
    seen: dict[int, Counter[int]] = {}
    for one, place in places.items():
        if place.plane != UNKNOWN:
            seen.setdefault(one.network, Counter())[place.plane] += 1
    return {network: counts.most_common(1)[0][0] for network, counts in seen.items()}
