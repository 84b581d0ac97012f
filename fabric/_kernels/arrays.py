"""What kernels read and write: named tuples of arrays, one entry per thing, no behaviour.

S switches, T ISLs (switch to switch), K attachment classes, A attachment slots, N endpoints, M members of
groups, C member classes, R runs.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int32Vector = npt.NDArray[np.int32]
Int64Vector = npt.NDArray[np.int64]
Int64Matrix = npt.NDArray[np.int64]
FloatVector = npt.NDArray[np.float64]
UInt64Vector = npt.NDArray[np.uint64]
BoolVector = npt.NDArray[np.bool_]
FloatMatrix = npt.NDArray[np.float64]
FloatCube = npt.NDArray[np.float64]
UInt64Matrix = npt.NDArray[np.uint64]
Int32Matrix = npt.NDArray[np.int32]
Int8Matrix = npt.NDArray[np.int8]
Int8Vector = npt.NDArray[np.int8]


class LayerArrays(NamedTuple):
    """One layer of a fabric (scale-out or scale-up) as its switches see it.

    Endpoints that hang on the same switches with the same capacities are one attachment class; each of its switches
    is a slot.  Class ``K`` (the last) has no slot: endpoints that are not in this layer.
    """

    in_start: Int64Vector
    """(S + 1,) where the ISLs into each switch begin."""
    in_tail: Int32Vector
    """(T,) switch that the link comes from."""
    in_link: Int32Vector
    """(T,) ISL."""
    in_gbps: FloatVector
    """(T,) its capacity."""
    out_start: Int64Vector
    """(S + 1,) where the ISLs out of each switch begin."""
    out_head: Int32Vector
    """(T,) switch that the link goes to; a switch's links are ordered by cable index, then head."""
    out_link: Int32Vector
    """(T,) ISL."""
    divisor: Int64Vector
    """(S,) product of the numbers of parents below the switch (D-mod-K)."""
    slot_start: Int64Vector
    """(K + 2,) where each class's slots begin."""
    slot_switch: Int32Vector
    """(A,) switch of the slot; the slots of a class are different switches."""
    slot_up_gbps: FloatVector
    """(A,) capacity of an endpoint's cables to the slot's switch."""
    slot_down_gbps: FloatVector
    """(A,) capacity of the cables back."""
    class_endpoints: FloatVector
    """(K + 1,) endpoints of each class."""
    twin: Int32Vector
    """(K + 1,) first of the classes that are twins of each, itself if there are none.

    Slot by slot the switches of twins are the same or have the same neighbours, cable by cable, so that to exchange
    them changes no way of any other switch."""


class MemberClassArrays(NamedTuple):
    """An all-to-all, with the members of a group that look alike to the network put together.

    A member class is the members of one group in one attachment class, domain and block.  A run is the member classes
    of one group in one attachment class.  Labels are numbered from 1; label 0 means "none": no two
    members have it in common.
    """

    attachment_run_start: Int64Vector
    """(K + 2,) where the runs of each class begin."""
    run_group: Int64Vector
    """(R,) group of the run."""
    run_class_start: Int64Vector
    """(R,) first member class of the run."""
    run_class_stop: Int64Vector
    """(R,) one past its last member class."""
    group_class_start: Int64Vector
    """(n_groups + 1,) where the member classes of each group begin."""
    attachment: Int32Vector
    """(C,) attachment class."""
    label: Int32Matrix
    """(3, C) labels of the member class's scale-up domain, of its block, and of the two together."""
    n_labels: int
    """One more than the largest label."""
    class_send: FloatVector
    """(C,) sum of the members' send weights."""
    class_receive: FloatVector
    """(C,) sum of the members' receive weights."""
    class_member_start: Int64Vector
    """(C + 1,) where the members of each member class begin."""
    member_endpoint: Int32Vector
    """(M,) endpoint of the member."""
    member_send: FloatVector
    """(M,) its send weight."""
    member_receive: FloatVector
    """(M,) its receive weight."""


class FlowArrays(NamedTuple):
    """Explicit flows, sorted by the destination's class, then destination."""

    class_flow_start: Int64Vector
    """(K + 2,) where the flows to each class begin."""
    src: Int32Vector
    """(F,) endpoint."""
    dst: Int32Vector
    """(F,) endpoint."""
    bytes: FloatVector
    """(F,)"""


class BundleArrays(NamedTuple):
    """The ISLs of a layer with the parallel cables of a direction put together; B bundles, by head."""

    start: Int64Vector
    """(S + 1,) where the bundles into each switch begin."""
    tail: Int32Vector
    """(B,) switch that the bundle comes from."""
    gbps: FloatVector
    """(B,) capacity of its cables together."""
    out_start: Int64Vector
    """(S + 1,) where the bundles out of each switch begin."""
    out_head: Int32Vector
    """(B,) switch that they go to."""
    out_gbps: FloatVector
    """(B,) their capacities."""
    twin: Int32Vector
    """(S,) first switch with the same bundles out, itself if there is none before it."""


class Dag(NamedTuple):
    """The shortest next hops towards a destination, with the capacity that leads on (adaptive routing).

    A bundle is one of them if its tail is one hop farther than its head; its part of the capacity of its tail is the
    smaller of its own capacity and that of its head.
    """

    capacity: FloatVector
    """(S,) C of each switch, towards all endpoints of the destination class together."""
    alone: FloatVector
    """(S,) C of each switch towards one endpoint of it."""
    distance: Int32Vector
    """(S,) hops to the destination; -1 where there is no way."""
    queue: Int32Vector
    """(S,) switches by rising distance."""


class OutHops(NamedTuple):
    """ISLs by the switch that they leave, those to one switch together."""

    start: Int64Vector
    """(S + 1,) where the ISLs out of each switch begin."""
    head: Int32Vector
    """(T,) switch that the link goes to."""
    link: Int32Vector
    """(T,) ISL."""
    gbps: FloatVector
    """(T,) its capacity."""


class TowardsAll(NamedTuple):
    """The ways to every destination class, and the bytes on them, phase by phase (adaptive routing).  P phases."""

    distance: Int32Matrix
    """(K, S) hops from each switch; -1 where there is no way."""
    capacity: FloatMatrix
    """(K, S) C of each switch towards all endpoints of the class together."""
    alone: FloatMatrix
    """(K, S) C of each switch towards one endpoint of it."""
    waiting: FloatCube
    """(P, K, S) bytes that pass each switch on their way to the class."""
    first: Int32Matrix
    """(K, S) where the next hops of each switch begin in `OutHops`; others may stand between them."""
    stop: Int32Matrix
    """(K, S) one past the last of them; equal to `first` where there is none."""


class NextHops(NamedTuple):
    """The shortest next hops towards one destination class, switch by switch (static routing)."""

    sizes: Int64Vector
    """(2,) how many switches reach the destination, and how many next hops there are."""
    distance: Int32Vector
    """(S,) hops to the destination; -1 where there is no way."""
    queue: Int32Vector
    """(S,) switches by rising distance."""
    position: Int32Vector
    """(S,) where a switch stands in `queue`."""
    start: Int32Vector
    """(S,) where a switch's next hops begin in `link` and `head`."""
    stop: Int32Vector
    """(S,) one past the last of them."""
    link: Int32Vector
    """(T,) ISL of each next hop."""
    head: Int32Vector
    """(T,) switch that it reaches."""
    choices: Int32Vector
    """(S,) 0 where the whole way is forced; the number of next hops where it is from each of them on; else -1."""
    fan: Int32Vector
    """(S,) `choices` of all next hops where it is the same > 0; 1 where it is 0 and there are several; else 0."""
    end_slot: Int32Vector
    """(S,) slot (0, 1, ...) of the destination where all that passes a switch ends; -1 where it depends on choices."""


class HashRoom(NamedTuple):
    """Where flows to one destination class are hashed, B together, for R sets of seeds.  G the size of a table."""

    fraction: FloatVector
    """(A,) part of its bytes that each class sends by each slot, in units."""
    bulk: FloatVector
    """(S,) what waits where ways are forced from the source on; all zero between two destination classes."""
    waiting: FloatVector
    """(S,) the same with what hashes brought there, of one set of seeds."""
    counted: Int64Matrix
    """(R, T) flows that each next hop carries; all zero between two destination classes."""
    carried: FloatMatrix
    """(R, T) weight that each next hop carries, of flows that are not counted; likewise."""
    chosen: BoolVector
    """(S,) whether some of a switch's next hops carry anything; likewise."""
    source: UInt64Vector
    """(M,) sources in the upper half of the word."""
    send: FloatVector
    """(M,) their send weights."""
    fan: Int64Vector
    """(W,) `NextHops.fan` behind each of their slots; 0 where no table is used."""
    key: UInt64Vector
    """(B,) key of each flow."""
    salt: UInt64Vector
    """(B,) what the switch where it is adds to its key."""
    choice: UInt64Vector
    """(B,) its choice."""
    weight: FloatVector
    """(B,) what it weighs."""
    head_salt: UInt64Vector
    """(largest number of next hops,) what each of a switch's next hops adds to keys."""
    counts: Int32Vector
    """(G,) flows of each joint choice; all zero between two blocks."""
    sums: FloatVector
    """(G,) their weights; likewise."""
    flow: Int64Vector
    """(B,) place on the list of each flow that still walks."""
    range: UInt64Vector
    """(B,) in the upper half the first next hop of the switch where it is, in the lower how many there are."""
    listed_key: UInt64Vector
    """(B,) of the flows on the list the source and the destination, then their key."""
    listed_switch: Int32Vector
    """(B,) switch at which they begin."""
    listed_port: Int32Vector
    """(B,) slot of the source."""
    listed_weight: FloatVector
    """(B,)"""
    listed_end: Int64Vector
    """(B,) where the slots of the destination begin; -1 if no hash decides by which of them a flow arrives."""


class WaitingRoom(NamedTuple):
    """What waits at switches for J destinations of one class (D-mod-K)."""

    fraction: FloatVector
    """(A,) part of its bytes that each class sends by each slot."""
    bulk: FloatVector
    """(S,) what waits for each destination per receive weight; all zero between two member classes."""
    waiting: FloatMatrix
    """(S, J) what waits for each destination by itself; all zero between two blocks."""
    anything: BoolVector
    """(S,) whether anything does; likewise."""
    receive: FloatVector
    """(J,) receive weight of each destination."""
    number: Int64Vector
    """(J,) number of each destination, leaf by leaf."""
    slot: Int64Vector
    """(J,) where its slots begin."""
    place: Int64Vector
    """(J,) which next hop of the present switch it has."""


class WayEnd(IntEnum):
    """Where a way along forwarding tables ends, seen from a switch.

    The negative ones stand in `LftArrays.next_link` too, in place of a link: no entry, a dead port, and a wrong end
    where the table names the switch's own port 0.
    """

    REACHES = 1
    """At the endpoint that owns the LID."""
    UNKNOWN = 0
    """Not followed yet."""
    NO_ENTRY = -1
    """At a switch whose table has no entry for the LID."""
    DEAD_PORT = -2
    """At a port without a cable."""
    WRONG_END = -3
    """At a node that does not own the LID."""
    LOOP = -4
    """Nowhere: the way runs in a circle."""


class LftArrays(NamedTuple):
    """Forwarding tables of the S switches for R rows: a row is one LID of an endpoint.  L links of the topology."""

    row_start: Int64Vector
    """(N + 1,) where the rows of each endpoint begin."""
    next_link: Int32Matrix
    """(R, S) link by which a switch sends to the LID; a negative `WayEnd` where it sends nowhere."""
    link_switch: Int32Vector
    """(L,) switch that a link reaches; -1 if it reaches none."""
    link_endpoint: Int32Vector
    """(L,) endpoint that a link reaches; -1 if it reaches none."""


class Ways(NamedTuple):
    """Where forwarding tables lead for each LID of one endpoint; W the largest number of LIDs of an endpoint."""

    state: Int8Matrix
    """(W, S) `WayEnd` of each switch."""
    order: Int32Matrix
    """(W, S) the switches whose way does, each after the one that follows it on the way."""
    n_order: Int64Vector
    """(W,) how many they are."""
    waiting: FloatMatrix
    """(W, S) bytes that wait at a switch; all zero between two destinations."""


class PathArrays(NamedTuple):
    """Links that flows cross.  F flows, H hops."""

    start: Int64Vector
    """(F + 1,) where each flow's hops begin."""
    link: Int32Vector
    """(H,) link; none twice in a flow."""
    fraction: FloatVector
    """(H,) part of the flow that crosses the link, > 0; empty where every flow has one path."""
    weight: FloatVector
    """(F,) number of equal flows that a flow stands for; empty where each stands for itself."""


class Batch(NamedTuple):
    """Some flows whose hops are read together.  B flows."""

    flow: Int32Vector
    """(B,)"""
    first: Int64Vector
    """(B,) where its hops begin."""
    stop: Int64Vector
    """(B,) one past the last of them."""
    near: Int32Vector
    """(B,) made of its first and last link: what was read to have them in the cache."""


class Gathered(NamedTuple):
    """Copies of the hops of flows on some links, link by link: n flows of at most W hops."""

    first: Int64Vector
    """(L,) where the flows of each link begin, for those that are gathered."""
    stop: Int64Vector
    """(L,) one past the last of them."""
    flow: Int32Vector
    """(n,)"""
    link: Int32Matrix
    """(n, W) its links; after the last of them -1."""
    part: FloatMatrix
    """(n, W) what each hop takes of its link at rate 1; without rows where that is 1."""


class Filling(NamedTuple):
    """How far links are filled."""

    key: FloatVector
    """(L,) room for a heap of levels at which links would be full."""
    item: Int32Vector
    """(L,) link of each."""
    left: FloatVector
    """(L,) capacity that no flow takes."""
    waiting: Int32Vector
    """(L,) flows without a rate."""
    demand: FloatVector
    """(L,) what they take of the link at rate 1; empty where that is 1 for each."""
    done: UInt64Vector
    """(F / 64 + 1,) a bit for each flow, set where it has its rate."""
    level: FloatVector
    """(L,) level at which each link was full; infinite where it is not."""


# Columns of `SharingState.links`.
CAPACITY = 0
"""Bytes/s."""
LEVEL = 1
"""Rate of the link's own flows, bytes/s; infinite where there are none."""
OWN = 2
"""What its own flows take of the link at rate 1."""
OTHERS = 3
"""What all others take of it, bytes/s."""
FASTEST = 4
"""No slower than the fastest of the others, bytes/s, where the link has own flows."""
SERVED = 5
"""Bytes that a flow would have had by `SINCE`, had it always been the link's own."""
SINCE = 6
"""When the level last changed, seconds."""
NEXT = 7
"""`SERVED` when the next of the link's own flows ends, where it has any."""
LINK_COLUMNS = 8

# Columns of `SharingState.lists`.
FIRST = 0
"""Where the room for the link's flows begins in `on_flow` and `on_hop`."""
N_ON = 1
"""Flows on the link."""
N_OWN = 2
"""How many of them it holds back."""
CHANGES = 3
"""How often the link was changed since its sums were found anew."""
LIST_COLUMNS = 4


class SharingState(NamedTuple):
    """F flows that share L links while they come and go; H hops of all of them.

    The flows on a link that it holds back, its own, come first in its list, as a binary heap by `ends_at`.
    """

    on_flow: Int32Vector
    """(H,) flows on each link, `N_ON` of them from `FIRST` on."""
    on_hop: Int32Vector
    """(H,) the hop of each of them that crosses the link."""
    place: Int32Vector
    """(H,) where a hop stands in `on_hop`."""
    lists: Int64Matrix
    """(L, 4) where the list of each link is and how long: the columns that begin with `FIRST`."""
    links: FloatMatrix
    """(L, 8) what is known of each link, in one cache line: the columns that begin with `CAPACITY`."""
    held: Int32Vector
    """(F,) hop at whose link a flow is held back; -1 for none."""
    holder: Int32Vector
    """(F,) that link."""
    ends_at: FloatVector
    """(F,) `SERVED` of that link when the flow ends; bytes left while it has none."""
    ends: FloatVector
    """(2 P,) when the next own flow of each link ends, P >= L a power of two: link l at P + l, the earlier of two
    children at each i < P."""


class LevelWork(NamedTuple):
    """The links that may need a new level at one event."""

    counts: Int64Vector
    """(4,) links in the heap, how many of `links` there are; of all events, new levels and flows with new rates."""
    key: FloatVector
    """(L,) heap of levels that links would have, as they were when put there."""
    item: Int32Vector
    """(L,) link of each key."""
    queued: BoolVector
    """(L,) whether a link is in the heap."""
    links: Int32Vector
    """(L,) links whose next end is to be found anew."""
    changed: BoolVector
    """(L,) whether a link is among them."""
    away: Int32Vector
    """(F,) flows that other links hold back from now on."""
    waiting: Int64Vector
    """(L,) flows on the link without a rate, while all rates are found anew."""
    wanted: FloatVector
    """(L,) what they take of it at rate 1."""
    near: Int32Vector
    """(1,) made of links of flows: what was read to have them in the cache."""
