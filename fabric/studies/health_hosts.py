"""Findings about where the adapters of hosts are plugged in: exchanged, astray, in another unit or plane, not there."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from collectives.sizes import counted
from fabric.formats.infiniband.host_names import natural
from fabric.formats.infiniband.subnet import SubnetFabric
from fabric.studies.health_findings import WARNING, End, Example, Finding, end_text, findings_of, port_end
from fabric.studies.health_names import missing_names, skeleton
from fabric.studies.health_places import OutOfPlace, out_of_place
from fabric.studies.health_plugs import Plug, PluggedHost, plugged_hosts
from fabric.studies.health_rails import UnitAcross, units_across
from fabric.studies.health_units import OddHost, fit_units
from fabric.topology import UNKNOWN, Topology

# Hosts lack an adapter that at least this part of their kind has, and as many hosts.  Assumed.
_USUAL, _FEWEST = 0.75, 3
# A unit lacks an adapter that those of other units have if it is no more than this part of theirs.  Assumed: more is
# another make.
_FEW_OF_ALL = 0.25
# As many mends are said one by one.
_MENDS = 3

_TEXTS = {
    "wrong rail": "adapters on the leaf of another rail",
    "crossed plane": "ports of adapters are in the plane of another port",
    "renamed adapters": "hosts call adapters otherwise than the others of their kind; their cables are right",
}


@dataclass(frozen=True)
class _Astray:
    """Adapters of a host that are plugged in wrong, or called wrong.

    Attributes
    ----------
    kind : str
        Of the finding.
    count : int
        Adapters; hosts, where they are called wrong.
    example : Example
    mend : str
    """

    kind: str
    count: int
    example: Example
    mend: str = ""


def host_findings(topology: Topology, origin: SubnetFabric | None = None) -> list[Finding]:
    """What is wrong with where the adapters of hosts are plugged in.

    Parameters
    ----------
    topology : Topology
    origin : SubnetFabric, optional
        Of a fabric that was read from a dump: names of hosts, GUIDs.
    """
    hosts = plugged_hosts(topology, origin)
    odd, unit_of = fit_units(hosts)
    odd, elsewhere = _by_neighbours(odd, out_of_place(unit_of))
    astray = [found for one in odd for found in ([_renamed(topology, one)] if one.renamed else _mended(topology, one))]
    astray += [found for one in units_across(topology, unit_of) for found in _across(topology, one)]
    findings = _wrong_units(topology, elsewhere)
    for kind, text in _TEXTS.items():
        own = [one for one in astray if one.kind == kind]
        mends = _mends([one.mend for one in own if one.mend])
        findings += findings_of(WARNING, kind, text, [one.example for one in own], sum(one.count for one in own), mends)
    return [*findings, *_missing_adapters(topology, hosts, unit_of), *_missing_hosts(topology, hosts)]


def _by_neighbours(odd: Sequence[OddHost], found: Sequence[OutOfPlace]) -> tuple[list[OddHost], list[OutOfPlace]]:
    """Hosts with adapters in two units, one of them that of their neighbours by name: the others are out of place."""
    hosts_odd = {one.host.name for one in odd}
    beside = {
        one.host.name: one.neighbour.pattern
        for one in found
        if one.neighbour.plugs == one.host.plugs
        and one.neighbour.name not in hosts_odd
        and any(leaf == other for leaf, other in zip(one.host.pattern, one.neighbour.pattern, strict=True))
    }
    mended = [
        replace(one, usual=beside[one.host.name]) if one.host.name in beside and not one.renamed else one for one in odd
    ]
    done = {one.host.name for one in mended if one.host.name in beside and not one.renamed}
    return mended, [one for one in found if one.host.name not in done]


def _mended(topology: Topology, odd: OddHost) -> list[_Astray]:
    """What to exchange and what to move until a host has the pattern of its unit."""
    names, host, usual = topology.nodes.name, odd.host, odd.usual
    here = host.pattern
    left = [place for place, leaf in enumerate(here) if leaf != usual[place]]
    found = []
    while left:
        place = left.pop(0)
        word, leaf = host.labels[place], names[here[place]]
        back = next((one for one in left if here[place] == usual[one] and here[one] == usual[place]), None)
        whose = [other for other, one in enumerate(usual) if one == here[place]]
        if back is not None:
            left.remove(back)
            both = f"{word} and {host.labels[back]}"
            text = f"{host.name}: {both} are on each other's leaf, {leaf} and {names[here[back]]}"
            mend = f"exchange the cables of host {host.name}, {both}"
        else:
            of = f"that of {host.labels[whose[0]]}" if whose else "a leaf of another unit"
            text = f"{host.name}: {word} is on {leaf}, {of}; its own is {names[usual[place]]}"
            mend = f"move the cable of host {host.name}, {word}, to {names[usual[place]]}"
        places = [place] if back is None else [place, back]
        other = back if back is not None else whose[0] if whose else place
        same = other != place and host.plugs[other][0] == host.plugs[place][0]
        example = Example(text, host.ends(topology, places))
        found.append(_Astray("crossed plane" if same else "wrong rail", len(places), example, mend))
    return found


def _across(topology: Topology, unit: UnitAcross) -> list[_Astray]:
    """What to exchange where a whole unit has adapters on the network of another rail."""
    names, first, found = topology.nodes.name, unit.hosts[0], []
    hosts = first.name + (f" and {counted(len(unit.hosts) - 1, 'more host')}" if len(unit.hosts) > 1 else "")
    for place, whose in zip(unit.places, unit.whose, strict=True):
        leaf, word = names[first.pattern[place]], first.labels[place]
        spines = f"the spines that {first.labels[whose]} has" if whose >= 0 else "other spines than"
        text = f"{hosts}: {word} is on {leaf}, below {spines} on most units"
        mend = f"move the cables up of {leaf}, or those of {word} of {hosts}"
        if whose >= 0 and whose in unit.places and unit.whose[unit.places.index(whose)] == place:
            both = f"{leaf} and {names[first.pattern[whose]]}"
            words = f"{word} and {first.labels[whose]}"
            mend = f"exchange the cables up of {both}, or those of {words} of {hosts}" if place < whose else ""
        found.append(_Astray("wrong rail", len(unit.hosts), Example(text, first.ends(topology, [place])), mend))
    return found


def _renamed(topology: Topology, odd: OddHost) -> _Astray:
    host = odd.host
    places = [place for place, leaf in enumerate(host.pattern) if leaf != odd.usual[place]]
    words = ", ".join(f"{host.labels[place]} on {topology.nodes.name[host.pattern[place]]}" for place in places)
    return _Astray("renamed adapters", 1, Example(f"{host.name}: {words}", host.ends(topology, places)))


def _mends(mends: Sequence[str]) -> str | None:
    """What to do about a few, and about more."""
    if len(mends) <= _MENDS:
        return "; ".join(mends) or None
    return f"{mends[0]}; and so for the other {len(mends) - 1:,} that are listed"


def _wrong_units(topology: Topology, found: Sequence[OutOfPlace]) -> list[Finding]:
    names = topology.nodes.name
    examples = []
    for one in found:
        leaves = [sorted(set(host.pattern)) for host in (one.host, one.neighbour)]
        here, there = (
            names[own[0]] + (f" and {counted(len(own) - 1, 'more leaf', 'more leaves')}" if len(own) > 1 else "")
            for own in leaves
        )
        text = f"{one.host.name}: on {here}, while {one.neighbour.name} beside it is on {there}"
        examples.append(Example(text, one.host.ends(topology, range(len(one.host.plugs)))))
    todo = None
    if len(found) == 2 and (found[0].unit, found[1].unit) == (found[1].expected, found[0].expected):
        todo = f"exchange the cables of hosts {found[0].host.name} and {found[1].host.name}, or their names"
    elif found:
        pairs = [(one.host.name, one.neighbour.name) for one in found]
        todo = _mends([f"move the cables of host {one} to the leaves of {other}, or rename it" for one, other in pairs])
    text = "hosts on the leaves of another unit than their neighbours by name"
    return findings_of(WARNING, "wrong unit", text, examples, todo=todo)


def _missing_adapters(
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


def _missing_hosts(topology: Topology, hosts: Sequence[PluggedHost]) -> list[Finding]:
    """Hosts that a numbering leaves out, where ports are free between those of the two hosts beside them."""
    by_name = {host.name: host for host in hosts}
    used: dict[int, set[int]] = {}
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
        if by_name[below].pattern != by_name[above].pattern:
            continue
        ends = [
            port_end(topology, leaf, port)
            for leaf, one, other in zip(by_name[below].pattern, by_name[below].links, by_name[above].links, strict=True)
            if (port := _free_between(topology, leaf, one, other, used)) is not None
        ]
        if 2 * len(ends) > len(by_name[below].pattern):
            text = f"{name}: {below} and {above} are there; between their ports {end_text(ends[0])} is free"
            more = f", and so on {counted(len(ends) - 1, 'other leaf', 'other leaves')}" if len(ends) > 1 else ""
            examples.append(Example(text + more, (End(name), *ends)))
    return findings_of(WARNING, "missing host", "hosts are missing in the numbering of their kind", examples)


def _free_between(topology: Topology, leaf: int, one: int, other: int, used: dict[int, set[int]]) -> int | None:
    """The one free port of a leaf between those of two links to it; None where there is none, or more."""
    if leaf not in used:
        out = slice(topology.out_start[leaf], topology.out_start[leaf + 1])
        used[leaf] = set(topology.link_tail_port[out].tolist())
    ends = sorted(int(topology.link_head_port[link]) for link in (one, other))
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
