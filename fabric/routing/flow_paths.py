"""The links that flows cross, flow by flow: what rates are found on.

Where a policy sends parts of a flow different ways on their own (queue pairs, ports, LIDs), each part is a flow with a
path; the flow ends with the last of them.  Adaptive routing splits a flow at every switch: one flow, with the part of
it that crosses each link.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from collectives.demand import FloatVector, Int32Vector, Int64Vector
from collectives.errors import InputError
from fabric.routing.layer import sums_of
from fabric.showing import Facts, Shown

# Parts of one flow that a policy adds up to 1 differ from it by less: assumed.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class FlowPaths:
    """Links that flows cross.

    Attributes
    ----------
    start : (F + 1,) int64
        Where each flow's hops begin; a flow without hops needs no link.
    link : (H,) int32
        No link twice in a flow.
    fraction : (H,) float64 or None
        Part of the flow that crosses the link, in (0, 1]; None where every flow has a single path.
    """

    start: Int64Vector
    link: Int32Vector
    fraction: FloatVector | None = None

    @property
    def n_flows(self) -> int:
        """F, the number of flows."""
        return len(self.start) - 1

    def check(self, n_links: int) -> None:
        """Refuse what is no set of paths over `n_links` links."""
        if (
            len(self.start) < 1
            or self.start[0] != 0
            or self.start[-1] != len(self.link)
            or np.any(self.start[1:] < self.start[:-1])
        ):
            raise InputError("paths.start: expected rising numbers from 0 to the number of hops")
        if len(self.link) and (self.link.min() < 0 or self.link.max() >= n_links):
            bad = int(np.flatnonzero((self.link < 0) | (self.link >= n_links))[0])
            raise InputError(f"paths.link[{bad}]: link {self.link[bad]}; expected 0 to {n_links - 1}")
        if self.fraction is not None:
            wrong = np.flatnonzero(~((self.fraction > 0) & (self.fraction <= 1 + _ROUNDING)))
            if len(self.fraction) != len(self.link) or wrong.size:
                raise InputError("paths.fraction: expected one in (0, 1] for each hop")

    @classmethod
    def of(cls, paths: Sequence[Sequence[int]]) -> "FlowPaths":
        """Paths from a list of links for each flow."""
        start = np.concatenate([[0], np.cumsum([len(path) for path in paths])]).astype(np.int64)
        return cls(start, np.array(list(chain.from_iterable(paths)), np.int32))

    @cached_property
    def hop_flow(self) -> Int32Vector:
        """Flow of each hop, (H,) int32."""
        return np.repeat(np.arange(self.n_flows, dtype=np.int32), np.diff(self.start))

    def chosen(self, flows: Int64Vector) -> "FlowPaths":
        """The paths of some of the flows."""
        hops = np.diff(self.start)[flows]
        start = np.concatenate([[0], np.cumsum(hops)]).astype(np.int64)
        place = np.repeat(self.start[flows] - start[:-1], hops) + np.arange(int(start[-1]))
        return FlowPaths(start, self.link[place], None if self.fraction is None else self.fraction[place])


@dataclass(frozen=True, eq=False, repr=False)
class RoutedFlows(Shown):
    """Parts of flows, each with its path.

    Attributes
    ----------
    paths : FlowPaths
        Of the parts.
    flow : (n_parts,) int64
        Flow that each is a part of.
    part : (n_parts,) float64
        Its part of the flow's bytes.
    """

    paths: FlowPaths
    flow: Int64Vector
    part: FloatVector

    @classmethod
    def whole(cls, paths: FlowPaths) -> "RoutedFlows":
        """Flows that are not cut into parts: path i is that of flow i."""
        return cls(paths, np.arange(paths.n_flows), np.ones(paths.n_flows))

    def _facts(self) -> Facts:
        return [
            ("flows", f"{np.unique(self.flow).size:,}"),
            ("parts", f"{self.flow.size:,}"),
            ("hops", f"{self.paths.link.size:,}"),
        ]

    def check(self, n_flows: int, n_links: int) -> None:
        """Refuse what does not route `n_flows` flows, each whole, over `n_links` links.

        Raises
        ------
        InputError
            Naming what is wrong.
        """
        self.paths.check(n_links)
        if not len(self.flow) == len(self.part) == self.paths.n_flows:
            raise InputError(f"flow, part: expected {self.paths.n_flows} values, one for each path")
        if len(self.flow) and not 0 <= self.flow.min() <= self.flow.max() < n_flows:
            raise InputError(f"flow: expected numbers from 0 to {n_flows - 1}")
        if len(self.flow) == n_flows and self.part.min(initial=1.0) == self.part.max(initial=1.0) == 1.0:
            # The common case, without an array of numbers for many flows: every flow is there once, whole.
            routed = np.zeros(n_flows, bool)
            routed[self.flow] = True
            if routed.all():
                return
        whole = np.bincount(self.flow, weights=self.part, minlength=n_flows)
        odd = np.flatnonzero(np.abs(whole - 1.0) > _ROUNDING)
        if odd.size:
            raise InputError(f"part: the parts of flow {odd[0]} add up to {whole[odd[0]]:g}; expected 1")

    def link_bytes(self, flow_bytes: FloatVector, n_links: int) -> FloatVector:
        """Bytes that flows of so many bytes put on each link, (n_links,) float64.  O(H)."""
        hop_bytes = (flow_bytes[self.flow] * self.part)[self.paths.hop_flow]
        if self.paths.fraction is not None:
            hop_bytes *= self.paths.fraction
        return sums_of(self.paths.link, hop_bytes, n_links)

    def of_flows(self, flows: Int64Vector) -> "RoutedFlows":
        """The same parts, flow i numbered ``flows[i]``."""
        return RoutedFlows(self.paths, flows[self.flow], self.part)

    @classmethod
    def joined(cls, parts: Sequence["RoutedFlows"]) -> "RoutedFlows":
        """All parts together, one after another."""
        parts = [part for part in parts if part.flow.size]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return nowhere(np.empty(0, np.int64))
        split = any(part.paths.fraction is not None for part in parts)
        offsets = np.cumsum([0, *(len(part.paths.link) for part in parts)])
        start = [part.paths.start[:-1] + offset for part, offset in zip(parts, offsets[:-1], strict=True)]
        fractions = [
            part.paths.fraction if part.paths.fraction is not None else np.ones(len(part.paths.link)) for part in parts
        ]
        paths = FlowPaths(
            np.concatenate([*start, offsets[-1:]]).astype(np.int64),
            np.concatenate([part.paths.link for part in parts]),
            np.concatenate(fractions) if split else None,
        )
        return cls(paths, np.concatenate([part.flow for part in parts]), np.concatenate([part.part for part in parts]))


def nowhere(flows: Int64Vector) -> RoutedFlows:
    """Flows that cross no link."""
    paths = FlowPaths(np.zeros(flows.size + 1, np.int64), np.empty(0, np.int32))
    return RoutedFlows(paths, flows.astype(np.int64), np.ones(flows.size))
