"""Units of hosts, and hosts that do not fit theirs.

Which leaf serves which adapter of a host is what most hosts with adapters of the same names show, host by host: a
*unit* is the hosts whose adapters are on the same leaves.  A name alone proves nothing: hosts of another make may call
the adapter on the same leaf otherwise, and are compared with their own kind only.  Where the GUIDs of a host's adapters
have the leaves that those of others have in the same order, it is names that are exchanged, not cables.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fabric.studies.health_names import skeleton
from fabric.studies.health_plugs import Plug, PluggedHost

# A pattern is a unit's if as many hosts have it, and no more than this part of them has another one on the same leaves,
# or on so many of them: leaves of storage may be those of several units.  Assumed.
_FEWEST, _ODD, _SHARED = 2, 0.5, 0.5
# An order of GUIDs is the usual one if this part of the hosts have it.  Assumed.
_USUAL = 0.75
# Hosts that have most of their plugs in one other order are of another make, if they are as many.  Assumed.
_MAKE = 3
Pattern = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class OddHost:
    """A host whose plugs are not on the leaves that those of its unit are on.

    Attributes
    ----------
    host : PluggedHost
    usual : tuple of int
        Leaf of each of its plugs, as most of its unit have it.
    renamed : bool
        Whether its cables are right, and its adapters have each other's names.
    """

    host: PluggedHost
    usual: Pattern
    renamed: bool


def fit_units(hosts: Sequence[PluggedHost]) -> tuple[list[OddHost], list[tuple[PluggedHost, int]]]:
    """Hosts that do not fit their unit, and the number of the unit of each host that has one."""
    kinds: dict[tuple[str, tuple[Plug, ...]], list[PluggedHost]] = {}
    for host in hosts:
        if host.plugs:
            kinds.setdefault((skeleton(host.name), host.plugs), []).append(host)
    units = _Units()
    odd: list[OddHost] = []
    # Those with most plugs first: hosts that lack some are of the unit that has all of their leaves.
    for alike in sorted(kinds.values(), key=lambda alike: -len(alike[0].plugs)):
        odd += _fit(alike, units)
    return odd, units.of_host


class _Units:
    """Numbers of units by their leaves."""

    def __init__(self) -> None:
        self.of_host: list[tuple[PluggedHost, int]] = []
        self._leaves: list[set[int]] = []
        self._by_leaf: dict[int, list[int]] = {}

    def number(self, pattern: Pattern) -> int:
        """The unit that has these leaves, perhaps among others; a new one where none has."""
        for known in self._by_leaf.get(pattern[0], ()):
            if self._leaves[known] >= set(pattern):
                return known
        self._leaves.append(set(pattern))
        for leaf in set(pattern):
            self._by_leaf.setdefault(leaf, []).append(len(self._leaves) - 1)
        return len(self._leaves) - 1


def _fit(alike: list[PluggedHost], units: _Units) -> list[OddHost]:
    """Number the units of hosts with plugs of the same names; those that fit none."""
    by_pattern: dict[Pattern, list[PluggedHost]] = {}
    for host in alike:
        by_pattern.setdefault(host.pattern, []).append(host)
    main: list[Pattern] = []
    near_of: dict[Pattern, list[Pattern]] = {}
    by_leaf: dict[int, list[Pattern]] = {}
    for pattern in sorted(by_pattern, key=lambda pattern: -len(by_pattern[pattern])):
        shared = Counter(one for leaf in set(pattern) for one in by_leaf.get(leaf, ()))
        near = [one for one, times in shared.items() if times >= _SHARED * len(set(pattern))]
        n_own = len(by_pattern[pattern])
        if not near and n_own >= _FEWEST:
            main.append(pattern)
            for leaf in set(pattern):
                by_leaf.setdefault(leaf, []).append(pattern)
        elif near and n_own <= _ODD * max(len(by_pattern[one]) for one in near):
            near_of[pattern] = near
        elif near and n_own >= _FEWEST:
            # Dealt out over other leaves in part, as those of storage are.
            for leaf in set(pattern):
                by_leaf.setdefault(leaf, []).append(pattern)
    units.of_host += [(host, units.number(pattern)) for pattern in main for host in by_pattern[pattern]]
    guid_order = _usual_guid_order([host for pattern in main for host in by_pattern[pattern]])
    found: list[tuple[PluggedHost, Pattern]] = []
    for pattern, near in near_of.items():
        best = max(near, key=lambda one: (_agreeing(one, pattern), len(set(one) & set(pattern))))
        if 2 * _agreeing(best, pattern) >= len(pattern) or set(best) == set(pattern):
            found += [(host, best) for host in by_pattern[pattern]]
    units.of_host += [(host, units.number(best)) for host, best in found]
    orders = Counter(order for host, best in found if (order := _order(host, best)) is not None)

    def renamed(host: PluggedHost, best: Pattern) -> bool:
        order = _order(host, best)
        return _by_guid(host, best, guid_order) or (order is not None and orders[order] >= _MAKE)

    return [OddHost(host, best, renamed(host, best)) for host, best in found]


def _usual_guid_order(hosts: list[PluggedHost]) -> Pattern:
    """The order of the GUIDs of a host's plugs that most hosts have; empty where there is none."""
    counts = Counter(host.guid_order for host in hosts)
    order, times = counts.most_common(1)[0] if counts else ((), 0)
    return order if times >= _USUAL * len(hosts) and len(hosts) >= _MAKE else ()


def _by_guid(host: PluggedHost, best: Pattern, usual: Pattern) -> bool:
    """Whether the leaves are right in the order of the GUIDs: then names are exchanged, not cables."""
    own = host.guid_order
    if not usual or not own or own == usual:
        return False
    return [host.pattern[place] for place in own] == [best[place] for place in usual]


def _agreeing(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(a == b for a, b in zip(one, other, strict=True))


def _order(host: PluggedHost, usual: Pattern) -> Pattern | None:
    """In which order most adapters of a host have another one's leaf; None where few have, or the ports of one."""
    pattern = host.pattern
    if len(pattern) < 4 or 2 * _agreeing(pattern, usual) >= len(pattern) or set(pattern) != set(usual):
        return None
    order = tuple(usual.index(leaf) for leaf in pattern)
    same = all(host.plugs[place][1] == host.plugs[other][1] for place, other in enumerate(order))
    return order if same else None
