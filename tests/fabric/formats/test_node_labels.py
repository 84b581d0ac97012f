"""Labels of nodes as CSV: hosts ordered by groups, from wide to narrow."""

import pytest
from hypothesis import given, settings, strategies as st

from collectives import InputError
from fabric.formats.node_labels import read_node_labels
from fabric.formats.opening import open_fabric
from fabric.jobs.hosts import choose_hosts
from fabric.jobs.rule import PlacementRule

# Hosts of two pods by turns; domain d2 has one host, all others two.
LABELS = """host,nvlink.domain,leafgroup,superpod
h0000,d0,l0,p0
h0001,d1,l1,p1
h0002,d0,l0,p0

# a comment
h0003,d2,l1,p1
h0004,d3,l2,p0
h0005,d1,l1,p1
h0006,d3,l2,p0
"""


def read(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return read_node_labels(path)


def test_hosts_of_a_group_stand_together(tmp_path):
    labels = read(tmp_path, LABELS)
    assert [name for name, _ in labels.leaves] == [f"nvlink.domain=d{n}" for n in (0, 3, 1, 2)]
    assert labels.hosts() == ("h0000", "h0002", "h0004", "h0006", "h0001", "h0005", "h0003")
    assert labels.above["superpod=p0"] == (0, 1)
    # The narrowest group that has room, as few of the narrowest as can be.
    assert labels.hosts(1) == ("h0003",)
    assert labels.hosts(2) == ("h0000", "h0002")
    assert labels.hosts(3) == ("h0001", "h0005", "h0003")
    assert labels.hosts(4) == ("h0000", "h0002", "h0004", "h0006")
    assert len(labels.hosts(7)) == 7


def test_a_job_is_placed_by_labels(tmp_path):
    given = open_fabric("hgx-b200-64")
    path = tmp_path / "labels.csv"
    path.write_text(LABELS)
    assert choose_hosts(given, None, None, 24, path) == [1, 5, 3]
    assert choose_hosts(given, None, None, 24, path, [0, 2, 4, 6, 1]) == [0, 2, 4]
    rule = PlacementRule(gpus=32, node_labels=path)
    assert (rule.place(given, 32).endpoint // 8).tolist() == [host for host in (0, 2, 4, 6) for _ in range(8)]
    with pytest.raises(InputError, match="host h0007 is in no leaf or block"):
        choose_hosts(given, "h0007", None, None, path)
    with pytest.raises(InputError, match="not both"):
        choose_hosts(given, None, path, None, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: ''; expected a header host,LABEL"),
        ("host\nh1\n", ":1: 'host'; expected a header"),
        ("name,rack\nh1,r\n", ":1: 'name,rack'; expected a header"),
        ("host,rack,rack\nh1,r,r\n", ":1: 'host,rack,rack'; expected a header"),
        ("host,rack\n", "no host; expected a row for each"),
        ("host,rack\nh1\n", ":2: 1 fields; expected 2: host,rack"),
        ("host,rack\nh1,\n", ":2: host 'h1': no 'rack'; expected every label"),
        ("host,rack\n,r\n", ":2: host '': no 'host'; expected every label"),
        ("host,rack\nh1,r\nh1,s\n", ":3: host 'h1' is given twice"),
        ("host,pod,rack\nh1,p,r1\nh2,p,r2\n", ":3: pod 'p' is in rack 'r1' and in 'r2'; expected a header"),
        ('host,rack\n"h1,r\n', "not CSV"),
    ],
)
def test_labels_are_refused(tmp_path, text, message):
    with pytest.raises(InputError) as refused:
        read(tmp_path, text)
    assert message in str(refused.value)
    assert "labels.csv" in str(refused.value)
    assert "\n" not in str(refused.value)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(LABELS)), st.text(alphabet='h0,"\n#d', max_size=4))
def test_damaged_labels_are_read_or_refused(tmp_path_factory, cut, put):
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_text(LABELS[:cut] + put + LABELS[cut + 3 :])
    try:
        labels = read_node_labels(path)
    except InputError:
        return
    assert len(set(labels.hosts())) == len(labels.hosts()) > 0
