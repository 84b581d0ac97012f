"""How many hashed flows a pair has, by library, algorithm, NIC and where the job's groups are."""

import numpy as np
import pytest

from collectives import Groups
from fabric.jobs.span import span_of
from fabric.scenario import Scenario
from railscope import Collective, Ecmp, PlacementRule


def flows_of(fabric, asked, rule=None, **given):
    scenario = Scenario.of(fabric, asked, rule=rule, routing=Ecmp(), **given)
    assert isinstance(scenario.routing, Ecmp)
    return scenario.routing.flows_a_pair, " ".join(scenario.flows)


def test_a_ring_shares_the_channels_of_a_host_and_says_so():
    number, reason = flows_of("hgx-b200-64", Collective("all-reduce", algorithm="rings"))
    assert number == 2
    assert "16 channels over the 8 members" in reason
    # One GPU of each host: 4 channels on a NIC of 400 Gb/s, all its own.
    alone = Collective("all-reduce", algorithm="rings", parallel="tp=8,dp=8", axes="dp")
    assert flows_of("hgx-b200-64", alone)[0] == 4


def test_an_exchange_halves_its_channels_with_scale():
    by_ranks = [flows_of("hgx-b200-64", Collective("all-to-all", group=n))[0] for n in (16, 32, 64)]
    assert by_ranks == [4, 4, 2]


def test_an_algorithm_that_the_library_lacks_is_said_to_be_taken_as_its_own():
    _, reason = flows_of("hgx-b200-64", Collective("all-to-all", algorithm="deepep"))
    assert "nccl has no deepep, taken as nccl 2.30.7" in reason


def test_ranks_agree_on_the_domain_with_the_fewest():
    domain = np.array([0] * 6 + [1] + [2] * 3 + [-1, -1], np.int32)
    groups = Groups.of([list(range(7)), [7, 8, 9], [10, 11]])
    # In two domains 6 and 1; the next is in one domain; the last two are each a domain of their own.
    assert span_of(groups, domain).fewest == 1
    assert span_of(Groups.of([[7, 8, 9]]), domain).fewest == 3
    assert span_of(Groups.of([[0, 1, 2, 7, 8]]), domain).fewest == 2
    assert span_of(groups, domain).per_domain == 6
    assert span_of(Groups.of([]), domain).fewest == 0


@pytest.mark.parametrize(("kind", "number"), [("packed", 8), ("scattered", 8)])
def test_data_parallel_groups_of_racks(kind, number):
    """Members of a group meet in a rack where hosts are scattered: the one that is alone decides."""
    asked = Collective("all-reduce", algorithm="rings", parallel="tp=64,dp=32", axes="dp")
    assert flows_of("gb300-2048", asked, PlacementRule(kind, seed=1))[0] == number
