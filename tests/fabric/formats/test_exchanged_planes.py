"""Planes that one mistake joins: every exchange of two uplinks, and every cable that is moved, and nothing else."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from fabric.formats.exchanged_planes import _cuts, crossed_planes
from fabric.formats.opening import open_fabric
from fabric.studies.health import check_fabric
from fabric.topology import joined_by
from tests import ethernet_twins as twins

NAMES = {
    "prefix": ("p{plane}-leaf{leaf}", "p{plane}-spine{spine}"),
    "running": ("leaf{running}", "spine{number}"),
    "words": ("{word}-leaf{leaf}", "{word}-spine{spine}"),
}


def network(planes=2, leaves=4, spines=2, names="prefix", hosts=8):
    """Planes of leaves with a cable to each spine of theirs: ends of cables, names and hosts of the switches."""
    leaf_name, spine_name = NAMES[names]
    called: list[str] = []
    ends: list[tuple[int, int]] = []
    on: list[set[str]] = []
    for plane in range(planes):
        word = ("red", "blue", "green")[plane]
        first = len(called)
        for leaf in range(leaves):
            called.append(leaf_name.format(plane=plane, leaf=leaf, word=word, running=plane * leaves + leaf))
            on.append({f"h{host}" for host in range(hosts)})
        for spine in range(spines):
            called.append(spine_name.format(plane=plane, spine=spine, word=word, number=plane * spines + spine))
            on.append(set())
        ends += [(first + leaf, first + leaves + spine) for leaf in range(leaves) for spine in range(spines)]
    return np.array(ends), called, on


def exchanged(ends, one, other):
    hurt = ends.copy()
    hurt[[one, other], 1] = ends[[other, one], 1]
    return hurt


@pytest.mark.parametrize("names", NAMES)
def test_every_exchange_between_two_planes(names):
    ends, called, on = network(names=names)
    half = len(ends) // 2
    for one in range(half):
        for other in range(half, len(ends)):
            (found,) = crossed_planes(exchanged(ends, one, other), called, on)
            assert found.cables == (one, other)
            assert len(set(found.plane[:6])) == len(set(found.plane[6:])) == 1
            assert found.plane[0] != found.plane[6]


@pytest.mark.parametrize("names", NAMES)
def test_every_cable_that_is_moved_to_the_other_plane(names):
    ends, called, on = network(names=names)
    for one in range(len(ends)):
        for spine in (10, 11) if one < len(ends) // 2 else (4, 5):
            hurt = ends.copy()
            hurt[one, 1] = spine
            (found,) = crossed_planes(hurt, called, on)
            assert found.cables == (one,)


def test_names_that_say_nothing_leave_two_ways_to_mend_it():
    """Both uplinks of the two leaves could be the wrong ones: exchanged back, either way, the planes are apart."""
    ends, _, on = network()
    hurt = exchanged(ends, 0, 8)
    (found,) = crossed_planes(hurt, [f"switch-{letter}" for letter in "abcdefghijkl"], on)
    one, other = found.cables
    mended = exchanged(hurt, one, other)
    assert np.unique(joined_by(12, mended[:, 0], mended[:, 1])).size == 2


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 5), st.integers(1, 2), st.sampled_from(sorted(NAMES)), st.data(),
)  # fmt: skip
def test_cables_that_are_missing_cross_nothing(planes, leaves, spines, names, data):
    ends, called, on = network(planes, leaves, spines, names)
    lost = data.draw(st.sets(st.integers(0, len(ends) - 1), max_size=4))
    kept = np.delete(ends, sorted(lost), axis=0)
    assert crossed_planes(kept, called, on) == []


def test_networks_that_are_joined_on_purpose():
    """Pods of other hosts, spines with cables between them, pairs of leaves."""
    ends, called, on = network()
    pods = [{f"{name}{place // 6}" for name in own} for place, own in enumerate(on)]
    assert crossed_planes(exchanged(ends, 0, 8), called, pods) == []
    spines = np.concatenate([ends, [[4, 10], [5, 11]]])
    assert crossed_planes(spines, called, on) == []
    leaves = np.concatenate([ends, [[0, 6], [1, 7]]])
    assert crossed_planes(leaves, called, on) == []
    every_leaf = np.concatenate([ends, [[leaf, 10] for leaf in range(4)], [[leaf, 4] for leaf in range(6, 10)]])
    assert crossed_planes(every_leaf, called, on) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 7), st.data())
def test_cuts_beside_all_pairs_tried(n, data):
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] != pair[1])
    ends = np.array(data.draw(st.lists(pairs, min_size=1, max_size=12)))

    def parts(without):
        kept = np.delete(ends, without, axis=0)
        return np.unique(joined_by(n, kept[:, 0], kept[:, 1])).size

    whole = parts([])
    bridges = {cable for cable in range(len(ends)) if parts([cable]) > whole}
    both = {pair for pair in combinations(range(len(ends)), 2) if not bridges & set(pair) and parts(list(pair)) > whole}
    found = _cuts(ends, n)
    assert {cut[0] for cut in found if len(cut) == 1} == bridges
    assert {pair for cut in found for pair in combinations(sorted(cut), 2)} == both


@pytest.mark.parametrize("moved", [False, True])
def test_the_audit_names_them(tmp_path, moved):
    """Two spines a plane, read from a plan: rails and planes are those of the whole fabric."""
    crossed = {("p1-leaf1", "swp32"): ("p2-spine2", "swp9"), ("p2-leaf1", "swp32"): ("p1-spine2", "swp1")}
    if moved:
        del crossed["p2-leaf1", "swp32"]
    cables = [(*one[:2], *crossed.get(one[:2], one[2:])) for one in twins.all_cables()]
    (tmp_path / "plan.dot").write_text(twins.dot(cables))
    (tmp_path / "whole.dot").write_text(twins.dot(twins.all_cables()))
    fabric, whole = open_fabric(str(tmp_path / "plan.dot")), open_fabric(str(tmp_path / "whole.dot"))
    (finding,) = check_fabric(fabric.topology, oddities=fabric.oddities, origin=fabric.origin).findings
    assert (finding.kind, finding.count) == ("crossed plane", len(crossed))
    assert finding.examples[0] == "p1-leaf1 port swp32 - p2-spine2 port swp9: joins two planes"
    if not moved:
        assert finding.todo == "exchange the cables in p2-spine2 port swp9 and p1-spine2 port swp1"
    for column in ("rail", "plane"):
        ours, theirs = (
            dict(zip(one.topology.endpoint_names, getattr(one.topology.nodes, column)[one.topology.endpoints],
                     strict=True))
            for one in (fabric, whole)
        )  # fmt: skip
        assert ours == theirs
