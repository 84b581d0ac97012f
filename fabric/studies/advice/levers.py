"""Every lever, in the order in which those that gain the same are named.  Adding one is a function and a row here."""

from fabric.studies.advice.adapters import plugged_in_place, ranks_by_leaf
from fabric.studies.advice.described import less_oversubscription, more_spines, wiring
from fabric.studies.advice.experts import dispatch_by_node, expert_placement
from fabric.studies.advice.hosts import pooled_nics, spare_hosts
from fabric.studies.advice.job import algorithms, order, packed, rails_of_rings, segmented, transport
from fabric.studies.advice.lever import Lever
from fabric.studies.advice.mend import drain, mend_all, mend_hottest
from fabric.studies.advice.moves import move_cables
from fabric.studies.advice.routes import adaptive, dmodk, more_flows, own_seeds, tables_anew

LEVERS: tuple[Lever, ...] = (
    adaptive,
    own_seeds,
    more_flows,
    dmodk,
    tables_anew,
    transport,
    algorithms,
    rails_of_rings,
    dispatch_by_node,
    drain,
    packed,
    segmented,
    order,
    ranks_by_leaf,
    pooled_nics,
    spare_hosts,
    expert_placement,
    mend_hottest,
    mend_all,
    move_cables,
    plugged_in_place,
    wiring,
    less_oversubscription,
    more_spines,
)
