"""One registry of formats: a format is added from outside, and everything derives from it."""

import lzma
import subprocess
import sys
from pathlib import Path

import networkx as nx
import pytest

import railscope as rs
from collectives import InputError
from fabric.formats import registry

DATA = Path(__file__).parents[3] / "tests" / "data"


@pytest.fixture(autouse=True)
def formats(monkeypatch):
    monkeypatch.setattr(registry, "_formats", dict(registry._formats))


def read_cables(path):
    return rs.from_networkx(nx.read_edgelist(path, comments="#"), capacity=400.0)


def write_cables(given, path):
    graph: nx.Graph[str] = nx.Graph(rs.to_networkx(given.topology).to_undirected())
    return "# cables\n" + "".join(f"{a} {b}\n" for a, b in graph.edges)


def test_a_toy_format_is_added_from_outside(tmp_path):
    rs.register_format(
        rs.Format("cables", "list of cables", r"\A# cables$", reader=read_cables, writer=write_cables, ending=".cables")
    )
    path = tmp_path / "any.name"
    path.write_text("# cables\nh0 leaf\nh1 leaf\nleaf spine\nspine other\nother h2\n")
    given = rs.open_fabric(path)
    assert given.topology.endpoint_names == ("h0", "h1", "h2")
    assert set(given.topology.link_capacity_gbps) == {400.0}
    again = tmp_path / "again.cables"
    assert rs.export_fabric(given, again) == ()
    assert rs.load_fabric(again).topology.n_links == given.topology.n_links == 10
    path.write_text("nothing\n")
    with pytest.raises(InputError, match=r" or list of cables$"):
        rs.open_fabric(path)
    with pytest.raises(InputError, match=r"or \.cables \(list of cables\), and perhaps"):
        rs.export_fabric(given, tmp_path / "x.doc")
    assert "list of cables" in registry.readable_titles()


def test_what_is_registered_later_is_tried_first(tmp_path):
    path = tmp_path / "x"
    path.write_text('{"directed": true, "special": 1, "nodes": []}')
    assert registry.format_of(path).name == "node-link"
    rs.register_format(rs.Format("special", "special JSON", r'"special"', reader=read_cables))
    assert registry.format_of(path).name == "special"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"name": ""}, "expected a name and a title"),
        ({"reader": None}, "expected a reader or a writer"),
        ({"shape": ""}, "shape: expected one, as there is a reader"),
        ({"shape": "("}, "shape: not a regular expression"),
        ({"reader": None, "writer": write_cables, "ending": ".x"}, "reader: expected one, as there is a shape"),
        ({"writer": write_cables}, "ending: expected one like .json"),
        ({"writer": write_cables, "ending": "json"}, "ending: expected one like .json"),
        ({"holds": "secrets"}, "holds 'secrets': expected a fabric or forwarding tables"),
        (
            {"options": frozenset({"speed"})},
            r"options \['speed'\]: expected assume_spine, host_pattern, speed_gbps or wiring",
        ),
        ({"name": "simai"}, "name 'simai' is that of SimAI topology already"),
        ({"writer": write_cables, "ending": ".json"}, "ending '.json' is that of node-link JSON already"),
    ],
)
def test_what_is_no_format_is_refused(parts, message):
    with pytest.raises(InputError, match=f"^format .*{message}"):
        rs.register_format(rs.Format(**{"name": "t", "title": "toy", "shape": "x", "reader": read_cables} | parts))


def test_a_reader_that_gives_something_else_is_named(tmp_path):
    rs.register_format(rs.Format("t", "toy", r"\Atoy", reader=lambda path: 3))
    (tmp_path / "x").write_text("toy")
    with pytest.raises(InputError, match=r"format 't': its reader gave a int; expected a Topology"):
        rs.open_fabric(tmp_path / "x")


def test_options_go_with_formats(tmp_path):
    dump = DATA / "infiniband" / "ibnetdiscover.txt.gz"
    with pytest.raises(InputError, match=r"wiring goes with a preset or a TOML description$"):
        rs.open_fabric(dump, wiring="rail")
    for source in ("hgx-b200-64", str(DATA / "topologies" / "Spectrum-X_64g_8gps_400Gbps_H100")):
        with pytest.raises(
            InputError,
            match=r"host_pattern goes with ibnetdiscover, iblinkinfo, opensm-subnet.lst, ibdiagnet's db_csv, "
            r".*net_dump_ext, topology.dot, .* a SONiC config_db.json$",
        ):
            rs.open_fabric(source, host_pattern="x")


def test_tables_are_no_fabric_and_fabrics_no_tables():
    folder = DATA / "infiniband"
    with pytest.raises(InputError, match=r"forwarding tables \(opensm.fdbs\); expected a fabric: TOML"):
        rs.open_fabric(folder / "opensm.fdbs.gz")
    with pytest.raises(InputError, match=r"ibnetdiscover; expected forwarding tables: opensm-lfts.dump, dump_lfts,"):
        rs.open_lfts(folder / "ibnetdiscover.txt.gz")
    assert rs.open_lfts(folder / "opensm.fdbs.gz").switch_guid


def test_a_description_is_told_by_its_contents_and_by_its_name(tmp_path):
    text = (Path(rs.__file__).parent / "fabric" / "presets" / "hgx-b200-64.toml").read_bytes()
    for name, data in (("x.txt", text), ("x.toml.xz", lzma.compress(text))):
        (tmp_path / name).write_bytes(data)
        description = rs.open_fabric(tmp_path / name, wiring="host").description
        assert description is not None
        assert description.fabric.wiring == "host"
    (tmp_path / "y.toml").write_text("wrong")
    with pytest.raises(InputError, match=r"y.toml: not TOML"):
        rs.open_fabric(tmp_path / "y.toml")


@pytest.mark.parametrize("behind", ["", ".gz", ".xz"])
@pytest.mark.parametrize("ending", [".json", ".infragraph.json", ".net"])
def test_what_is_exported_opens_again(tmp_path, ending, behind):
    path = tmp_path / f"f{ending}{behind}"
    given = rs.open_fabric("hgx-b200-64")
    rs.export_fabric(given, path)
    first = path.read_bytes()
    again = rs.open_fabric(path)
    assert again.topology.n_endpoints == 64
    if ending == ".infragraph.json":
        assert (tmp_path / f"f.annotations.json{behind}").exists()
    rs.export_fabric(given.topology, path, force=True)
    assert path.read_bytes() == first


def test_the_registry_is_light():
    code = "import sys, fabric.formats.registry as r, traces.registry as t; r.readable_titles(), t.trace_titles(); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=DATA.parents[1])
    assert done.stdout.strip() == "False"
