"""Rings and tori of Slurm's topology.yaml: a job is on neighbours."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import InputError
from fabric.formats.opening import open_fabric
from fabric.formats.slurm.shapes import Cuboids, Ring, Torus
from fabric.formats.slurm.topology_conf import read_slurm_topology
from fabric.jobs.hosts import choose_hosts

RINGS = """- topology: r
  ring:
    rings:
      - ring: r1
        nodes: h000[0-4]
      - ring: r2
        nodes: [h0007, h0005, h0006]
"""
TORUS = """- topology: t
  torus3d:
    toruses:
      - name: t1
        dims: {x: 2, y: 2, z: 2}
        nodes: h000[0-7]
"""


def read(tmp_path, text):
    path = tmp_path / "topology.yaml"
    path.write_text(text)
    return read_slurm_topology(path)


def test_a_job_takes_hosts_in_a_row(tmp_path):
    rings = read(tmp_path, RINGS)
    assert rings.kind == "ring"
    assert rings.hosts() == (*(f"h000{n}" for n in range(5)), "h0007", "h0005", "h0006")
    assert rings.hosts(3) == ("h0007", "h0005", "h0006")
    assert rings.hosts(4) == ("h0000", "h0001", "h0002", "h0003")
    # Round the end: 4 and 0 are neighbours.
    left = rings.restricted({"h0003", "h0004", "h0000", "h0005"})
    assert left.hosts(3) == ("h0003", "h0004", "h0000")
    with pytest.raises(InputError, match="4 free hosts in 2 rings; none has the 4 hosts in a row"):
        left.hosts(4)
    given_fabric = open_fabric("hgx-b200-64")
    assert choose_hosts(given_fabric, None, tmp_path / "topology.yaml", 24) == [7, 5, 6]


def test_rings_of_topology_conf(tmp_path):
    conf = read(tmp_path, "RingName=r1 Nodes=h000[0-4]\nRingName=r2 Nodes=h0007,h000[5-6]\n")
    rings = read(tmp_path, RINGS)
    assert (conf.kind, conf.leaves, conf.shapes) == (rings.kind, rings.leaves, rings.shapes)
    with pytest.raises(InputError, match="expected one kind"):
        read(tmp_path, "RingName=r1 Nodes=h000[0-4]\nBlockName=r2 Nodes=h0005\n")


def test_a_job_takes_a_cuboid(tmp_path):
    torus = read(tmp_path, TORUS)
    assert torus.hosts(4) == ("h0000", "h0001", "h0002", "h0003")
    # x = 1 is free: a plane of 1 x 2 x 2.
    assert torus.restricted({"h0001", "h0003", "h0005", "h0007", "h0000"}).hosts(4) == (
        "h0001",
        "h0003",
        "h0005",
        "h0007",
    )
    with pytest.raises(InputError, match="none has the 2 hosts that a free cuboid holds"):
        torus.restricted({"h0000", "h0003"}).hosts(2)


def neighbours(torus, one, other):
    x, y, _ = torus.dims
    at = [np.array([n % x, n // x % y, n // (x * y)]) for n in (int(one), int(other))]
    apart = np.abs(at[0] - at[1])
    return int(np.minimum(apart, np.array(torus.dims) - apart).sum()) == 1


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.integers(1, 4)] * 3), st.data())
def test_every_choice_is_connected_and_free(dims, data):
    n = int(np.prod(dims))
    names = tuple(map(str, range(n)))
    free = data.draw(st.sets(st.sampled_from(names)))
    wanted = data.draw(st.integers(1, n))
    for shape in (Torus(names, dims), Ring(names)):
        found = shape.choose(wanted, free)
        if found is None:
            assert len(free) < n
            continue
        _, hosts = found
        assert len(set(hosts)) == len(hosts) == wanted
        assert set(hosts) <= free
        if isinstance(shape, Torus):
            reached, waiting = {hosts[0]}, [hosts[0]]
            while waiting:
                one = waiting.pop()
                for other in set(hosts) - reached:
                    if neighbours(shape, one, other):
                        reached.add(other)
                        waiting.append(other)
            assert reached == set(hosts)
        else:
            assert all((int(b) - int(a)) % n == 1 for a, b in pairwise(hosts))


def test_placements_say_which_cuboids(tmp_path):
    names = tuple(map(str, range(16)))
    torus = Torus(names, (4, 4, 1), (Cuboids((2, 2, 1), (2, 2, 1)),))
    assert torus.choose(4, names) == (0, ("0", "1", "4", "5"))
    assert torus.choose(3, set(names) - {"0"}) == (1, ("2", "3", "6"))
    assert torus.choose(5, names) is None
    moved = Torus(names, (4, 4, 1), (Cuboids((2, 2, 1), (2, 2, 1), (1, 0, 0)),))
    assert moved.choose(4, names) == (0, ("1", "2", "5", "6"))


REGIONS = """- topology: t
  torus3d:
    toruses:
      - name: t1
        dims: {x: 4, y: 2, z: 1}
        placements:
          - dims: {x: 2, y: 2, z: 1}
            anchor_spacing: {x: 1, y: 1, z: 1}
            anchor_seed: {x: 0, y: 0, z: 0}
        regions:
          - anchor: {x: 0, y: 0, z: 0}
            dims: {x: 1, y: 2, z: 1}
            nodes: h000[0-1]
          - anchor: {x: 2, y: 0, z: 0}
            dims: {x: 2, y: 2, z: 1}
            nodes: h000[2-5]
"""


def test_regions_say_where_hosts_are(tmp_path):
    """The column x = 1 has no host: columns 2 and 3 make a cuboid, and so do 3 and 0."""
    torus = read(tmp_path, REGIONS)
    assert torus.hosts() == ("h0000", "h0002", "h0003", "h0001", "h0004", "h0005")
    assert torus.hosts(4) == ("h0002", "h0003", "h0004", "h0005")
    assert torus.restricted({f"h000{n}" for n in (0, 1, 3, 5)}).hosts(4) == ("h0003", "h0000", "h0005", "h0001")
    for old, new, message in (
        ("{x: 2, y: 0, z: 0}", "{x: 3, y: 0, z: 0}", "regions[1]: reaches out of the torus of 4 x 2 x 1"),
        ("{x: 2, y: 0, z: 0}", "{x: 0, y: 0, z: 0}", "regions[1]: h0002 and h0000 are at one place"),
        ("h000[2-5]", "h000[2-4]", "regions[1]: 2 x 2 x 1 = 4, and 3 nodes; expected as many"),
        ("h000[2-5]", "h000[1-4]", "toruses[0]: host 'h0001' is in two regions"),
        ("        regions:", "        nodes: h0001\n        regions:", "expected nodes or regions, not both"),
    ):
        with pytest.raises(InputError) as refused:
            read(tmp_path, REGIONS.replace(old, new))
        assert message in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("z: 2", "z: 3", "toruses[0]: 2 x 2 x 3 = 12, and 8 nodes; expected as many"),
        ("{x: 2, y: 2, z: 2}", "{x: 2, y: 2}", "expected a whole number from 1 to 65,536"),
        ("{x: 2, y: 2, z: 2}", "8", "toruses[0].dims: 8; expected x, y and z"),
        ("{x: 2, y: 2, z: 2}", "[999, 999, 999]", "dims: 999 x 999 x 999 hosts; expected at most 65,536"),
        (
            "        nodes",
            "        placements: [{dims: [3, 1, 1]}]\n        nodes",
            "placements[0].dims.x 3: expected a whole number from 1 to 2",
        ),
        ("        nodes", "        placements: 3\n        nodes", "placements: expected a list of mappings, got 3"),
        ("        nodes: h000[0-7]", "        regions: []", "toruses[0]: expected nodes or regions"),
        ("torus3d:", "mesh:", "topology 't': mesh; expected tree, block, ring or torus3d"),
    ],
)
def test_tori_that_are_refused(tmp_path, old, new, message):
    with pytest.raises(InputError) as refused:
        read(tmp_path, TORUS.replace(old, new))
    assert message in str(refused.value)
    assert "topology.yaml" in str(refused.value)
