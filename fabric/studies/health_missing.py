"""Adapters that hosts lack, and hosts that are not there, beside those of their kind."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from collectives.sizes import counted
from fabric.formats.infiniband.host_names import natural
from fabric.studies.health_findings import WARNING, End, Example, Finding, end_text, findings_of, port_end
from fabric.studies.health_names import missing_names, skeleton
from fabric.studies.health_plugs import Plug, PluggedHost
from fabric.topology import UNKNOWN, Topology

# Hosts lack an adapter that at least this part of their kind has, and as many hosts.  Assumed.
_USUAL, _FEWEST = 0.75, 3
# A unit lacks an adapter that those of other units have if it is no more than this part of theirs.  Assumed: more is
# another make.
_FEW_OF_ALL = 0.25


def missing_adapters(
    topology: Topology, hosts: Sequence[PluggedHost], unit_of: Sequence[tuple[PluggedHost, int]]
) -> list[Finding]:
    """Hosts that lack an adapter that nearly all of their kind have, and have no other one instead; whole units too."""
    kinds: dict[str, list[PluggedHost]] = {}
    for host in hosts:
        kinds.setdefault(skeleton(host.name), []).append(host)
    of_units = _lacking_units(unit_of)
    examples = []
    for alike in kinds.values():
        times = Counter(plug for host in alike for plug in host.plugs)
        usual = [plug for plug, number in times.items() if number >= max(_USUAL * len(alike), _FEWEST)]
        for host in alike:
            lacking = [plug for plug in usual if plug not in host.plugs and plug[0] not in host.bare]
            if lacking and len(host.plugs) == len(usual) - len(lacking) >= len(lacking):
                examples.append(_lack(topology, host, lacking, alike))
            elif host.name in of_units:
                examples.append(_lack(topology, host, of_units[host.name], alike))
    text = "hosts have fewer adapters with cables than the others of their kind"
    return findings_of(WARNING, "missing adapter", text, examples)


def _lacking_units(unit_of: Sequence[tuple[PluggedHost, int]]) -> dict[str, list[Plug]]:
    """Plugs that all hosts of a unit lack and those of other units have, by host: a leaf of that unit is not there.

    Plugs that share their leaf between units, as those of storage may, are none of theirs.
    """
    units: dict[tuple[str, int], list[PluggedHost]] = {}
    on_leaf: dict[int, set[int]] = {}
    for host, unit in unit_of:
        units.setdefault((skeleton(host.name), unit), []).append(host)
        for leaf in host.pattern:
            on_leaf.setdefault(leaf, set()).add(unit)
    found: dict[str, list[Plug]] = {}
    plugs = {key: set.intersection(*(set(host.plugs) for host in own)) for key, own in units.items() if len(own) > 1}
    usual: dict[str, set[Plug]] = {}
    for kind in {kind for kind, _ in plugs}:
        alike = [own for (other, _), own in plugs.items() if other == kind]
        times = Counter(plug for own in alike for plug in own)
        usual[kind] = {plug for plug, number in times.items() if 2 * number >= len(alike)}
    for (kind, unit), own in plugs.items():
        whole = usual[kind]
        lacking = sorted(whole - own)
        if not lacking or not own < whole or len(lacking) > _FEW_OF_ALL * len(whole):
            continue
        whole_hosts = [host for (other, _), others in units.items() if other == kind for host in others
                       if set(lacking) <= set(host.plugs)]  # fmt: skip
        leaves = {host.pattern[host.plugs.index(plug)] for host in whole_hosts for plug in lacking}
        if all(len(on_leaf[leaf]) == 1 for leaf in leaves):
            found |= {
                host.name: [plug for plug in lacking if plug not in host.plugs and plug[0] not in host.bare]
                for host in units[kind, unit]
            }
    return {host: own for host, own in found.items() if own}


def missing_hosts(topology: Topology, hosts: Sequence[PluggedHost]) -> list[Finding]:
    """Hosts that a numbering leaves out, where ports are free beside those of the two hosts next to them."""
    by_name = {host.name: host for host in hosts}
    used: dict[int, set[int]] = {}
    usual = _UsualPorts(topology, hosts)
    examples = []
    in_order: dict[str, list[str]] = {}
    for name, members in missing_names(by_name):
        if name in by_name:
            continue
        if members[0] not in in_order:
            in_order[members[0]] = sorted(members, key=natural)
        own = in_order[members[0]]
        place = bisect_left(own, natural(name), key=natural)
        if not 0 < place < len(own):
            continue
        below, above = own[place - 1], own[place]
        one, other = by_name[below], by_name[above]
        if one.pattern == other.pattern:
            ports = [
                _free_between(topology, leaf, links, used)
                for leaf, links in zip(one.pattern, zip(one.links, other.links, strict=True), strict=True)
            ]
            leaves = one.pattern
        else:
            # At the edge of a unit: behind the one or before the other, if leaves of other units have a host there.
            leaves, ports = max(
                ((host.pattern, usual.free(host, step)) for host, step in ((one, 1), (other, -1))),
                key=lambda found: sum(port is not None for port in found[1]),
            )
        ends = [port_end(topology, leaf, port) for leaf, port in zip(leaves, ports, strict=True) if port is not None]
        if 2 * len(ends) > len(leaves):
            text = f"{name}: {below} and {above} are there; beside their ports {end_text(ends[0])} is free"
            more = f", and so on {counted(len(ends) - 1, 'other leaf', 'other leaves')}" if len(ends) > 1 else ""
            examples.append(Example(text + more, (End(name), *ends)))
    return findings_of(WARNING, "missing host", "hosts are missing in the numbering of their kind", examples)


class _UsualPorts:
    """Ports by which leaves of a kind have hosts."""

    def __init__(self, topology: Topology, hosts: Sequence[PluggedHost]) -> None:
        self._topology = topology
        self._used: dict[int, set[int]] = {}
        for host in hosts:
            for leaf, link in zip(host.pattern, host.links, strict=True):
                self._used.setdefault(leaf, set()).add(int(topology.link_head_port[link]))
        self._kind = {leaf: skeleton(topology.nodes.name[leaf]) for leaf in self._used}
        self._leaves = Counter(self._kind.values())
        self._times = Counter((self._kind[leaf], port) for leaf, ports in self._used.items() for port in ports)

    def free(self, host: PluggedHost, step: int) -> list[int | None]:
        """Of each leaf of a host the next port, if it is free here, and has a host on most others of the kind."""
        found: list[int | None] = []
        for leaf, link in zip(host.pattern, host.links, strict=True):
            own = int(self._topology.link_head_port[link])
            port, kind = own + step, self._kind[leaf]
            there = own != UNKNOWN and port not in self._used[leaf]
            found.append(port if there and 2 * self._times[kind, port] > self._leaves[kind] else None)
        return found


def _free_between(topology: Topology, leaf: int, links: tuple[int, int], used: dict[int, set[int]]) -> int | None:
    """The one free port of a leaf between those of two links to it; None where there is none, or more."""
    if leaf not in used:
        out = slice(topology.out_start[leaf], topology.out_start[leaf + 1])
        used[leaf] = set(topology.link_tail_port[out].tolist())
    ends = sorted(int(topology.link_head_port[link]) for link in links)
    free = [port for port in range(ends[0] + 1, ends[1]) if port not in used[leaf]] if ends[0] != UNKNOWN else []
    return free[0] if len(free) == 1 else None


def _lack(topology: Topology, host: PluggedHost, lacking: list[Plug], alike: Sequence[PluggedHost]) -> Example:
    """Which adapters are missing, and the leaves on which those of a host of its unit are."""
    others = [one for one in alike if set(lacking) <= set(one.plugs)]
    other = next((one for one in others if set(host.pattern) <= set(one.pattern)), None)
    places = [(other or others[0]).plugs.index(plug) for plug in lacking]
    words = ", ".join((other or others[0]).labels[place] for place in places)
    text = f"{host.name}: {words} {'is' if len(lacking) == 1 else 'are'} missing"
    if other is None:
        return Example(text, (End(host.name),))
    leaves = [topology.nodes.name[other.pattern[place]] for place in places]
    return Example(f"{text}, on {', '.join(leaves)} by its neighbours", (End(host.name), *map(End, leaves)))
