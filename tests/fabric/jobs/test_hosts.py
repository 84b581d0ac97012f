"""Hostlists, Slurm's topology.conf, and the hosts of a job."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from collectives import InputError
from fabric.formats.opening import open_fabric
from fabric.formats.slurm.hostlist import expand_hostlist
from fabric.formats.slurm.topology_conf import read_slurm_topology
from fabric.jobs.hosts import choose_hosts

DATA = Path(__file__).parents[3] / "tests" / "data" / "infiniband"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("h1", ["h1"]),
        ("h[1-3]", ["h1", "h2", "h3"]),
        ("h00[08-11]", ["h0008", "h0009", "h0010", "h0011"]),
        ("a[1,3-4]-ib, b", ["a1-ib", "a3-ib", "a4-ib", "b"]),
        ("r[1-2]n[01-02]", ["r1n01", "r1n02", "r2n01", "r2n02"]),
        ("[1101-1102]", ["1101", "1102"]),
        ("h[9-10]", ["h9", "h10"]),
        # srun --nodelist takes each host once; so does `scontrol show hostnames | sort -u`.
        ("h[1-3],h2,h[3-4]", ["h1", "h2", "h3", "h4"]),
        ("rack[1-2]node[01-02]", ["rack1node01", "rack1node02", "rack2node01", "rack2node02"]),
    ],
)
def test_hostlists(text, names):
    assert expand_hostlist(text) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected host names"),
        ("h[1-3", "brackets do not match"),
        ("h1-3]", "brackets do not match"),
        ("h[[1]]", "brackets do not match"),
        ("h[3-1]", "range 3-1 runs backwards"),
        ("h[a]", "'a'; expected a number or a range"),
        ("h[1-99999999]", "more than 1,000,000 hosts"),
        ("h[1-1000]x[1-1000]y[1-1000]", "more than 1,000,000 hosts"),
        ("h[1-999999999999999]", "more than 1,000,000 hosts"),
        ("h" * 300, "a name of more than 255 characters"),
    ],
)
def test_hostlists_are_refused(text, message):
    with pytest.raises(InputError, match="hosts ") as refused:
        expand_hostlist(text)
    assert message in str(refused.value)


@given(st.text(alphabet="h01[]-, x", max_size=30))
def test_any_text_is_a_hostlist_or_refused(text):
    try:
        names = expand_hostlist(text)
    except InputError:
        return
    assert len(set(names)) == len(names) > 0


TREE = """# comment
SwitchName=leaf1 Nodes=h000[0-2] LinkSpeed=400
SwitchName=leaf2 Nodes=h000[3-4]
SwitchName=leaf3 Nodes=h000[5-7]
SwitchName=pod Switches=leaf[2-3]
SwitchName=top Switches=leaf1,pod
"""
BLOCK = """BlockName=b1 Nodes=h000[0-2]
BlockName=b2 Nodes=h000[3-7]
BlockSizes=2,4
"""


def read(tmp_path, text):
    path = tmp_path / "topology.conf"
    path.write_text(text)
    return read_slurm_topology(path)


def test_a_job_takes_as_few_leaves_as_can_be(tmp_path):
    tree = read(tmp_path, TREE)
    assert tree.hosts() == tuple(f"h000{n}" for n in range(8))
    assert tree.hosts(2) == ("h0003", "h0004")  # the leaf with no room left over
    assert tree.hosts(3) == ("h0000", "h0001", "h0002")
    assert tree.hosts(4) == ("h0005", "h0006", "h0007", "h0003")  # below the pod, the larger leaf first
    assert tree.hosts(6) == ("h0000", "h0001", "h0002", "h0005", "h0006", "h0007")
    blocks = read(tmp_path, BLOCK)
    assert blocks.hosts(4) == ("h0003", "h0004", "h0005", "h0006")
    assert blocks.hosts(8) == ("h0003", "h0004", "h0005", "h0006", "h0007", "h0000", "h0001", "h0002")
    with pytest.raises(InputError, match="8 hosts; the job needs 9"):
        tree.hosts(9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello\n", ":1: 'hello'; expected SwitchName="),
        ("SwitchName=a\n", ":1: a: expected Nodes= or Switches="),
        ("SwitchName=a Nodes=h[1\n", ":1: hosts 'h[1'"),
        ("SwitchName=a Nodes=h1\nSwitchName=a Nodes=h2\n", ":2: a is described twice"),
        ("SwitchName=a Nodes=h1\nSwitchName=b Nodes=h1\n", "host h1 is in a and in b"),
        ("SwitchName=a Nodes=h1\nSwitchName=b Switches=c\n", ":2: switch c is not described"),
        ("SwitchName=a Switches=b\nSwitchName=b Switches=a\n", ":1: a is above itself"),
        ("SwitchName=a Nodes=h1\nBlockName=b Nodes=h2\n", "switches and blocks; expected one kind"),
        ("# nothing\n", "no switch or block"),
    ],
)
def test_topology_conf_is_refused(tmp_path, text, message):
    with pytest.raises(InputError) as refused:
        read(tmp_path, text)
    assert message in str(refused.value)
    assert "topology.conf" in str(refused.value)


def test_hosts_of_a_job(tmp_path):
    given = open_fabric(str(DATA / "rail64-ftree.ibnetdiscover.gz"))
    (tmp_path / "topology.conf").write_text(TREE)
    conf = tmp_path / "topology.conf"
    assert choose_hosts(given, "h000[5-6],h0002", None) == [5, 6, 2]
    assert choose_hosts(given, None, conf, 16) == [3, 4]
    assert choose_hosts(given, None, conf, 17) == [0, 1, 2]
    assert choose_hosts(given, "h000[1-3]", conf) == [1, 2, 3]
    for hosts, where, message in (
        ("h0009", None, "h0009 is no host of rail64-ftree; did you mean h000"),
        (None, tmp_path / "other.conf", "none of its hosts is in the fabric"),
    ):
        (tmp_path / "other.conf").write_text("SwitchName=a Nodes=x[1-2]\n")
        with pytest.raises(InputError) as refused:
            choose_hosts(given, hosts, where)
        assert message in str(refused.value)
    # Fabrics that railscope builds have host names too.
    assert choose_hosts(open_fabric("hgx-b200-64"), "h000[6-7]", None) == [6, 7]


YAML = """---
- topology: gpu
  cluster_default: true
  tree:
    switches:
      - switch: top
        children: leaf1,pod
      - switch: pod
        children: leaf[2-3]
      - switch: leaf1
        nodes: h000[0-2]
      - switch: leaf2
        nodes: h000[3-4]
      - switch: leaf3
        nodes: h000[5-7]
- topology: racks
  block:
    block_sizes: [2, 4]
    blocks:
      - block: b1
        nodes: h000[0-2]
      - block: b2
        nodes: [h0003, "h000[4-7]"]
- topology: all
  flat: true
"""


def test_topology_yaml_is_the_same_as_topology_conf(tmp_path):
    tree, conf = read(tmp_path, YAML), read(tmp_path, TREE)
    assert (tree.kind, tree.topology) == ("tree", "gpu")
    assert tree.leaves == conf.leaves
    assert dict(tree.above) == conf.above
    assert [tree.hosts(n) for n in range(1, 9)] == [conf.hosts(n) for n in range(1, 9)]
    blocks = read(
        tmp_path,
        YAML.replace("cluster_default: true", "cluster_default: false").replace(
            "racks\n", "racks\n  cluster_default: true\n"
        ),
    )
    assert (blocks.kind, blocks.topology) == ("block", "racks")
    assert blocks.leaves == read(tmp_path, BLOCK).leaves


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  tree:\n", "  dragonfly:\n", "topology 'gpu': dragonfly; expected tree, block, ring or torus3d"),
        ("  tree:\n", "  torus3d:\n", "topology 'gpu': torus3d: expected a list `toruses`"),
        ("    switches:\n", "    switch:\n", "expected a list `switches`"),
        (
            "        nodes: h000[0-2]\n      - switch: leaf2",
            "      - switch: leaf2",
            "leaf1: expected nodes or children",
        ),
        ("children: leaf1,pod", "children: leaf1,pad", "switch pad is not described"),
        ("nodes: h000[3-4]", "nodes: h000[3-4", "switches[3]: hosts 'h000[3-4': brackets do not match"),
        ("- switch: top", "- switch: leaf1", "'leaf1' is described twice"),
        ("- switch: top", "- switch: [top", "topology.conf:7: not YAML"),
        ("h000[5-7]", "h000[2-4]", "host h0002 is in leaf1 and in leaf3"),
        ("- topology: racks", "- 3\n- topology: racks", "expected a list of topologies"),
    ],
)
def test_topology_yaml_is_refused(tmp_path, old, new, message):
    assert old in YAML
    with pytest.raises(InputError) as refused:
        read(tmp_path, YAML.replace(old, new, 1))
    assert message in str(refused.value)


def test_yaml_that_means_harm(tmp_path):
    for text in (
        "- topology: " + "[" * 5000,
        "- topology: a\n  tree: " + "9" * 5000,
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n- topology: *c\n",
        "- topology: !!python/object/apply:os.system ['true']\n  tree: {}\n",
    ):
        with pytest.raises(InputError):
            read(tmp_path, text)
