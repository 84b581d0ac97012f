"""How loads show themselves: in a line, in a notebook, as a data frame; and what an unroutable pair says."""

import io
import sys

import numpy as np
import pytest

import railscope as rs
from collectives import Flows, InputError
from fabric.routing.loads import LinkLoads
from tests.fabric.routing.test_sweep import crossed_domains, uniform
from tests.random_fabrics import topology_of


@pytest.fixture(scope="module")
def loads():
    fabric = rs.build(rs.fat_tree(4))
    return rs.link_loads(fabric, uniform(16), rs.packed(fabric))


def test_a_data_frame_has_the_rows_of_the_csv(loads):
    pandas = pytest.importorskip("pandas")
    for some in (loads, LinkLoads.none(crossed_domains())):
        frame = some.to_pandas()
        read = pandas.read_csv(io.StringIO(rs.links_csv(some)))
        assert list(frame) == list(read)
        for column in frame:
            one, other = frame[column], read[column]
            np.testing.assert_array_equal(one.isna(), other.isna())
            known = ~one.isna()
            assert one[known].tolist() == other[known].tolist()


def test_without_pandas_one_line_says_what_to_do(loads, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match="to_pandas: expected pandas to be installed: pip install pandas"):
        loads.to_pandas()


def test_results_show_themselves_in_a_line(loads):
    fabric = loads.topology
    name = fabric.name
    assert repr(fabric) == f"Topology({name!r}: 16 endpoints, 20 switches, 96 links)"
    assert ", 3 NVLink switches, " in repr(crossed_domains())
    assert repr(rs.packed(fabric)) == "Placement(ranks 16, endpoints 0, 1, 2, 3, 4, 5, 6, 7, ...)"
    hottest = fabric.link_name(loads.bottleneck_link)
    text = repr(loads)
    assert text.startswith(f"LinkLoads(fabric {name!r}, links 96, 96 with load, bytes ")
    assert text.endswith(f"bottleneck {loads.bottleneck_time_s:.4g} s, hottest {hottest})")
    assert "hottest" not in repr(LinkLoads.none(fabric))
    left_out = LinkLoads(fabric, loads.bytes, rs.Unrouted(3, 5.0))
    assert "unrouted 3 pairs, 5 B" in repr(left_out)
    schedule = rs.all_to_all(rs.Groups.consecutive(16, 16), 1600.0)
    assert repr(rs.schedule_loads(fabric, schedule, rs.packed(fabric))).startswith(
        f"ScheduleLoads(fabric {name!r}, phases 1 sequential: "
    )
    routed = rs.route_flows(fabric, np.array([0, 1]), np.array([5, 1]), rs.Ecmp(queue_pairs=3))
    assert repr(routed) == "RoutedFlows(flows 2, parts 4, hops 18)"


def test_a_notebook_shows_a_small_table(loads):
    html = loads._repr_html_()
    assert html.startswith("<table><caption>LinkLoads</caption><tr><th>fabric</th>")
    # Names of ports hold no markup.
    assert loads.topology.link_name(loads.bottleneck_link).replace(">", "&gt;") in html
    odd = topology_of([0, 0, 1], [(0, 2, 1.0, 1.0), (1, 2, 1.0, 1.0)], name="<b>")
    assert "&lt;b&gt;" in odd._repr_html_()


def test_an_unroutable_pair_is_named():
    split = topology_of([0, 0, 1, 1], [(0, 2, 1.0, 1.0), (1, 3, 1.0, 1.0)])
    for routing in (None, rs.Ecmp(), rs.DModK(), rs.LinkWeights(np.ones(4))):
        with pytest.raises(rs.Unroutable, match="no path from h0 to h1 in fabric random") as caught:
            rs.link_loads(split, Flows([0], [1], [1.0]), rs.packed(split), routing)
        assert (caught.value.src, caught.value.dst, caught.value.lfts) == ("h0", "h1", None)
    nowhere = rs.Lft("old.lfts", np.array([0, 1, 2]), np.array([1, 2], np.int32), np.full((2, 2), -1, np.int32))
    with pytest.raises(rs.Unroutable) as caught:
        rs.link_loads(split, Flows([0, 1], [1, 0], [1.0, 1.0]), rs.packed(split), nowhere)
    assert str(caught.value) == (
        "old.lfts: no route from h1 to h0, and for 1 more pair with traffic; expected tables that route every pair "
        "with traffic, or skip_unrouted to leave the others out"
    )
    assert (caught.value.src, caught.value.dst, caught.value.pairs, caught.value.lfts) == ("h1", "h0", 2, "old.lfts")
    with pytest.raises(rs.Unroutable, match=r"old\.lfts: no route from h0 to h1; expected"):
        rs.route_flows(split, np.array([0]), np.array([1]), nowhere)
