"""Which destinations an adaptive sweep does together: those whose last hops look alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from collectives.demand import Int64Vector
from fabric._kernels.arrays import Int32Vector, MemberClassArrays
from fabric.routing.bundles import bundles_of
from fabric.routing.chunks import MAX_CHUNKS
from fabric.routing.layer import Layer
from fabric.routing.member_classes import starts_of

if TYPE_CHECKING:
    from fabric._kernels.adaptive_shared import LastHops, Partners, SharedClasses

# A DAG for two destinations costs less than one for each.
SHARED_BY = 2


@dataclass(frozen=True, eq=False)
class SharedEnds:
    """Destination classes that share a DAG, and those that have one of their own.

    Attributes
    ----------
    hops : LastHops
        The neighbours of every class.
    together : tuple of tuple of int
        Classes with equal last hops.
    shared : SharedClasses
        Items of classes that share a DAG: pieces of `together`.
    apart : (n,) int32
        Classes that have one of their own.
    near_start : (K + 2,) int64
        Where the classes near to each class begin in `near`.
    near : (n,) int32
        Classes that have a switch in common with it, itself among them.
    """

    hops: "LastHops"
    together: tuple[tuple[int, ...], ...]
    shared: "SharedClasses"
    apart: Int32Vector
    near_start: Int64Vector
    near: Int32Vector

    @property
    def n_items(self) -> int:
        """Items of classes that share a DAG."""
        return len(self.shared.item_start) - 1

    def in_pieces(self, most: int) -> "SharedEnds":
        """The same with `together` cut into so many items in all, where that is more than there are sets."""
        return replace(self, shared=_items(self.together, most))

    def partners_of(self, classes: MemberClassArrays) -> "Partners":
        """Who of an all-to-all is near to whom, and who is in whose domain or block.  O(C log C + near runs)."""
        from fabric._kernels.adaptive_shared import Partners

        n_runs = len(classes.run_group)
        run_class = classes.attachment[classes.run_class_start].astype(np.int64)
        item = np.full(len(self.near_start) - 1, -1, np.int64)
        item[self.shared.attachment] = np.repeat(np.arange(self.n_items), np.diff(self.shared.item_start))
        run_item = item[run_class]
        runs = np.lexsort((run_class, classes.run_group, run_item))
        runs = runs[run_item[runs] >= 0]
        n_near = np.diff(self.near_start)[run_class]
        owner = np.repeat(np.arange(n_runs), n_near)
        offset = np.arange(owner.size) - np.repeat(np.cumsum(n_near) - n_near, n_near)
        other = self.near[self.near_start[run_class[owner]] + offset].astype(np.int64)
        n_classes = len(self.near_start)
        key = classes.run_group * n_classes + run_class
        by_key = np.argsort(key, kind="stable")
        wanted = classes.run_group[owner] * n_classes + other
        place = np.minimum(np.searchsorted(key[by_key], wanted), max(n_runs - 1, 0))
        found = key[by_key][place] == wanted if n_runs else np.zeros(0, bool)
        lists = [_lists(classes, kind) for kind in (0, 1)]
        listed, list_start, list_stop = (np.stack(columns) for columns in zip(*lists, strict=True))
        takers = (
            np.add.reduceat(
                np.append(classes.member_receive > 0, False).astype(np.float64), classes.class_member_start[:-1]
            )
            if len(classes.attachment)
            else np.zeros(0)
        )
        return Partners(
            item_run_start=starts_of(run_item[runs], self.n_items),
            item_run=runs.astype(np.int64),
            near_start=starts_of(owner[found], n_runs),
            near_run=by_key[place[found]].astype(np.int64),
            listed=listed,
            list_start=list_start,
            list_stop=list_stop,
            takers=takers,
        )


def _lists(classes: MemberClassArrays, kind: int) -> tuple[Int64Vector, Int64Vector, Int64Vector]:
    """Member classes by group and label, and where the list of each one's own label begins and ends."""
    label = classes.label[kind].astype(np.int64)
    n = label.size
    if not label.any():
        return np.arange(n), np.zeros(n, np.int64), np.zeros(n, np.int64)
    group = np.repeat(np.arange(len(classes.group_class_start) - 1), np.diff(classes.group_class_start))
    key = group * classes.n_labels + label
    order = np.argsort(key, kind="stable")
    start = np.searchsorted(key[order], key)
    stop = np.where(label > 0, np.searchsorted(key[order], key, side="right"), start)
    return order.astype(np.int64), start.astype(np.int64), stop.astype(np.int64)


# Both layers of the few fabrics that one comparison looks at.
@lru_cache(maxsize=8)
def shared_ends_of(layer: Layer, shared_by: int = SHARED_BY) -> SharedEnds:
    """Put destination classes with equal last hops together.  O(K + bundles to their switches).

    Parameters
    ----------
    layer : Layer
    shared_by : int
        Classes that have last hops in common with fewer others, themselves counted, are apart.
    """
    from fabric._kernels.adaptive_shared import LastHops, find_last_hops

    arrays = layer.arrays
    n_classes = layer.n_classes
    bundles = bundles_of(layer).arrays
    degree = np.diff(bundles.start)[arrays.slot_switch]
    room = int(degree.sum())
    start = np.zeros(n_classes + 1, np.int64)
    switch, gbps, alone = np.empty(room, np.int32), np.empty(room), np.empty(room)
    n_hops = find_last_hops(arrays, bundles, start, switch, gbps, alone)
    owner = np.repeat(np.arange(n_classes), np.diff(start))
    order = np.lexsort((switch[:n_hops], owner))
    hops = LastHops(start, switch[order], gbps[order], alone[order])
    alike: dict[tuple[bytes, bytes, bytes], list[int]] = {}
    for attachment in np.flatnonzero(np.diff(arrays.slot_start)):
        own = slice(start[attachment], start[attachment + 1])
        key = (hops.switch[own].tobytes(), hops.gbps[own].tobytes(), hops.alone[own].tobytes())
        alike.setdefault(key, []).append(int(attachment))
    together = [members for members in alike.values() if len(members) >= shared_by]
    apart = [one for members in alike.values() if len(members) < shared_by for one in members]
    # Endpoints without a cable: nothing reaches them, which a sweep of their class finds.
    apart += [n_classes - 1] if arrays.class_endpoints[-1] > 0 else []
    near_start, near = _near(layer)
    return SharedEnds(
        hops=hops,
        together=tuple(map(tuple, together)),
        shared=_items(together, MAX_CHUNKS),
        apart=np.array(sorted(apart), np.int32),
        near_start=near_start,
        near=near,
    )


def _items(together: Sequence[Sequence[int]], most: int) -> "SharedClasses":
    """Cut up large sets where there are few, so that there is work for several threads: `most` items, or the sets."""
    from fabric._kernels.adaptive_shared import SharedClasses

    pieces = max(1, most // max(len(together), 1))
    items = [
        part.tolist()
        for members in together
        for part in np.array_split(np.array(members), min(pieces, max(1, len(members) // SHARED_BY)))
    ]
    return SharedClasses(
        np.cumsum([0, *map(len, items)]).astype(np.int64),
        np.array([one for members in items for one in members], np.int32),
    )


def _near(layer: Layer) -> tuple[Int64Vector, Int32Vector]:
    """Classes that have a switch in common with each class."""
    arrays = layer.arrays
    slot_class = np.repeat(np.arange(layer.n_classes), np.diff(arrays.slot_start))
    by_switch = np.argsort(arrays.slot_switch, kind="stable")
    on_switch = starts_of(arrays.slot_switch[by_switch], layer.n_switches)
    n = np.diff(on_switch)[arrays.slot_switch]
    owner = np.repeat(slot_class, n)
    offset = np.arange(owner.size) - np.repeat(np.cumsum(n) - n, n)
    other = slot_class[by_switch[np.repeat(on_switch[arrays.slot_switch], n) + offset]]
    pairs = np.unique(owner * np.int64(layer.n_classes) + other)
    return starts_of(pairs // layer.n_classes, layer.n_classes), (pairs % layer.n_classes).astype(np.int32)
