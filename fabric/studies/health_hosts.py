"""Findings about where the adapters of hosts are plugged in: exchanged, astray, in another unit or plane."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from collectives.sizes import counted
from fabric.formats.infiniband.subnet import SubnetFabric
from fabric.studies.health_findings import WARNING, Example, Finding, findings_of
from fabric.studies.health_missing import missing_adapters, missing_hosts
from fabric.studies.health_places import OutOfPlace, out_of_place
from fabric.studies.health_plugs import plugged_hosts
from fabric.studies.health_rails import UnitAcross, units_across
from fabric.studies.health_units import OddHost, fit_units
from fabric.topology import Topology

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
    return [*findings, *missing_adapters(topology, hosts, unit_of), *missing_hosts(topology, hosts)]


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
