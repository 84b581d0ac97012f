"""Every lever, in the order in which those that gain the same are named.  Adding one is a function and a row here."""

from fabric.studies.advice.cables import drain, mend_all, mend_hottest
from fabric.studies.advice.described import less_oversubscription, more_spines, wiring
from fabric.studies.advice.job import algorithms, order, packed, segmented, transport
from fabric.studies.advice.lever import Lever
from fabric.studies.advice.routes import adaptive, dmodk, more_flows, own_seeds, tables_anew

LEVERS: tuple[Lever, ...] = (
    adaptive,
    own_seeds,
    more_flows,
    dmodk,
    tables_anew,
    transport,
    algorithms,
    drain,
    packed,
    segmented,
    order,
    mend_hottest,
    mend_all,
    wiring,
    less_oversubscription,
    more_spines,
)
