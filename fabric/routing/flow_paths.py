"""The links that flows cross, flow by flow."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from collectives.demand import FloatVector, Int32Vector, Int64Vector
from collectives.errors import InputError


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
            wrong = np.flatnonzero(~((self.fraction > 0) & (self.fraction <= 1 + 1e-9)))
            if len(self.fraction) != len(self.link) or wrong.size:
                raise InputError("paths.fraction: expected one in (0, 1] for each hop")

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
