"""Reports as a page: all that the report says, nothing from elsewhere, and names that stay names."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import networkx as nx
import numpy as np
import pytest
from typer.testing import CliRunner

import railscope as rs
from collectives import InputError
from fabric.commands.app import app
from fabric.reports.emit import Report, emit
from fabric.reports.figures.compare import Panel
from fabric.reports.html.charts import bars_of
from fabric.reports.html.maps import MOST_CELLS, load_maps
from fabric.reports.html.page import html_page
from fabric.reports.html.tables import assumptions_of, page_table
from fabric.reports.loads import loads_report
from fabric.reports.page_parts import PageParts, Picture, TimeBar
from fabric.reports.tables import Facts, Table
from fabric.reports.words import seconds_text
from fabric.routing.link_loads import LinkLoads
from fabric.topology import ISL, UP
from tests.fabric.commands.test_cli import HURT, RESNET, TIGHT

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "</style></title></svg><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "a' onmouseover='alert(1)",
    "rtl\u202eevil\x1b[31m",
)
# Elements that only a page's template writes, and addresses that lead nowhere else.
OURS = (
    "html head meta title link style body a header p h1 h2 h3 nav ul ol li main section span dl div dt dd table thead "
)
OURS += "tbody tr th td svg g path rect text figure figcaption b br img footer pre code script"
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Elements with their attributes and text, and whether what is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append((self._open[-1] if self._open else "", data))

    def texts(self, tag):
        return [text for own, text in self.text if own == tag]


def check_alone(page):
    """Nothing of the page comes from, or goes, elsewhere."""
    for tag, attributes in page.elements:
        assert tag in OURS.split(), tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "action", "data", "xlink:href", "formaction"):
                assert value.startswith(("#", "data:")), (tag, name, value)
    style = "".join(page.texts("style"))
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search(r"https?:", "".join(page.texts("script")) + style)


def hostile_report():
    """Loads of a fabric whose every name is an attack."""
    graph: nx.MultiGraph = nx.MultiGraph(name=HOSTILE[0])
    for number in range(8):
        graph.add_edge(f"h{number}{HOSTILE[number % len(HOSTILE)]}", f"leaf{number // 2}{HOSTILE[number // 2]}")
    for leaf in range(4):
        for spine in range(3):
            graph.add_edge(f"leaf{leaf}{HOSTILE[leaf]}", f"spine{spine}{HOSTILE[4 + spine]}")
    fabric = rs.from_networkx(graph, capacity=400.0, kind=lambda name: "endpoint" if name[0] == "h" else "switch")
    scenario = rs.Scenario.of(fabric, rs.Collective("all-to-all"), routing=rs.Ecmp(1))
    report = loads_report(rs.analyse(scenario, 1.01))
    return replace(report, notes=HOSTILE, assumptions=[f"{name} ({name})" for name in HOSTILE])


def test_names_stay_names():
    text = html_page([hostile_report()], [f"railscope loads '{HOSTILE[1]}'"], HOSTILE[3])
    page = Page(text)
    check_alone(page)
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert "alert" not in "".join(page.texts("script"))
    said = "".join(text for _, text in page.text)
    for name in HOSTILE[:-1]:
        assert name in said
    # What a terminal would obey, or what turns letters around, is written out.
    assert "rtl\\u202eevil\\x1b[31m" in said
    assert "\u202e" not in text
    policy = next(own["content"] for tag, own in page.elements if own.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_a_page_says_all_that_the_report_says():
    report = loads_report(rs.analyse(rs.Scenario.of(str(TIGHT), rs.Collective("all-to-all"), routing=rs.Ecmp(1))))
    text = html_page([report], ["railscope loads tight-64.toml --collective all-to-all"])
    assert text == html_page([report], ["railscope loads tight-64.toml --collective all-to-all"])
    page = Page(text)
    said = "".join(text for _, text in page.text)
    assert report.verdict is not None
    assert report.verdict.text in said
    # First of all.
    assert said.index(report.verdict.text) < said.index(report.tables[0].rows[0][1])
    for table in report.tables:
        for row in table.rows:
            assert all(cell in said for cell in row)
    for line in (*report.notes, *report.assumptions):
        assert line in said
    assert "railscope loads tight-64.toml --collective all-to-all" in page.texts("code")
    (language,) = (own["lang"] for tag, own in page.elements if tag == "html")
    assert language == "en"
    assert page.texts("title")[0].startswith("tight-64: all-to-all")
    assert all(own.get("scope") in ("col", "row") for tag, own in page.elements if tag == "th")
    # Headings go down by one at most.
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert max(np.diff(levels)) <= 1


def test_cells_are_the_loads():
    scenario = rs.Scenario.of(str(TIGHT), rs.Collective("all-to-all"), routing=rs.Ecmp(1))
    loads = rs.analyse(scenario).loads.total
    topology = loads.topology
    expected: dict[str, float] = {}
    for link in range(topology.n_links):
        if topology.link_kind[link] == ISL:
            name = topology.nodes.name
            cell = f"{name[topology.link_tail[link]]} → {name[topology.link_head[link]]}"
            seconds = loads.bytes[link] * 8 / (topology.link_capacity_gbps[link] * 1e9)
            expected[cell] = max(expected.get(cell, 0.0), seconds)
    maps = [one for row in load_maps([Panel("tight", loads)]).rows for one in row]
    cells = [cell for one in maps for row in one.rows for cell in row]
    for ends, value in (shown.text.split(": ") for shown in cells if shown.width == 1):
        assert value == seconds_text(expected[ends])
    # Neighbours with the same value are one cell: none is lost.
    assert sum(shown.width for shown in cells) == len(expected)


@pytest.fixture(scope="module")
def uneven():
    topology = rs.open_fabric("gb300-8192").topology
    loads = [np.random.default_rng(seed).random(topology.n_links) * 1e9 for seed in range(3)]
    return [Panel(f"design {number}", LinkLoads(topology, one)) for number, one in enumerate(loads)]


def test_a_page_of_8192_gpus_is_below_5_mb(uneven):
    report = Report(
        {"schema": "railscope.compare/2"}, [Facts("Result", (("a", "b"),))], page=lambda: PageParts(panels=uneven)
    )
    text = html_page([report], ["railscope compare"])
    assert len(text.encode()) < 5e6
    assert text.count("<path class=c") <= MOST_CELLS + 200


def test_a_coarse_map_keeps_the_busiest_link(uneven):
    maps = load_maps(uneven[:1], 500)
    assert sum(one.n_cells for row in maps.rows for one in row) <= 500
    topology, loads = uneven[0].loads.topology, uneven[0].loads
    up = (topology.link_kind == ISL) & (topology.link_direction == UP)
    most = seconds_text(float(loads.seconds[up].max()))
    assert most in maps.rows[0][0].summary
    assert any(cell.text.endswith(most) for row in maps.rows[0][0].rows for cell in row)
    assert "a cell: the busiest of" in maps.rows[0][0].summary


def test_bars_have_one_scale_and_say_the_range():
    slow, fast = bars_of([TimeBar("slow", 0.003, (0.002, 0.003, 0.004)), TimeBar("fast", 0.001)])
    assert (slow.percent, slow.low, slow.high, fast.percent) == (75.0, 50.0, 100.0, 25.0)
    assert (slow.beside, fast.beside) == ("3.000x the shortest, 2 ms to 4 ms over seeds", "")
    assert (slow.best, fast.best) == (False, True)
    assert bars_of([TimeBar("alone", 1.0)]) == ()
    assert bars_of([TimeBar("nothing", 0.0), TimeBar("either", 0.0)]) == ()


def test_a_picture_of_very_much_is_one_of_dots():
    drawn = {".svg": b"<svg/>", ".png": b"png"}
    table = Facts("Result", (("a", "b"),))
    few = Report({"schema": "mine/1"}, [table], page=lambda: PageParts(pictures=[Picture("few <", drawn.__getitem__)]))
    drawn_much = {".svg": b" " * 600_000, ".png": b"png"}
    many = Report(
        {"schema": "mine/1"}, [table], page=lambda: PageParts(pictures=[Picture("many", drawn_much.__getitem__)])
    )
    (first, second) = (own for tag, own in Page(html_page([few, many], ["x"])).elements if tag == "img")
    assert first == {"src": "data:image/svg+xml;base64,PHN2Zy8+", "alt": "few <"}
    assert second == {"src": "data:image/png;base64,cG5n", "alt": "many"}


def test_rows_that_carry_on_are_one_row():
    rows = (("error", "loop", "a"), ("", "", "b"), ("warning", "slow", "c"))
    made = page_table(Table("Findings", ("severity", "finding", "example"), rows, below=("example",)))
    assert made.rows == ((("error",), ("loop",), ("a", "b")), (("warning",), ("slow",), ("c",)))
    text, bare = assumptions_of(["cabling (a book, 2020)", "no source"])
    assert (text.text, text.source, bare.source) == ("cabling", "a book, 2020", "")


def test_a_page_is_written_with_all_others_or_not_at_all(tmp_path):
    report = Report({"schema": "mine/1"}, [Facts("Result", (("a", "b"),))], files={str(tmp_path / "x.csv"): "a\n"})
    (tmp_path / "page.html").write_text("old")
    with pytest.raises(InputError, match=r"page\.html: exists already"):
        emit(report, json=False, html=tmp_path / "page.html")
    assert not (tmp_path / "x.csv").exists()
    assert (tmp_path / "page.html").read_text() == "old"
    emit(report, json=False, html=tmp_path / "page.html", force=True)
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
    assert (tmp_path / "x.csv").read_text() == "a\n"


COMMANDS = {
    "compare": ["tiny.toml", "--collective", "all-to-all", "--no-figure"],
    "routings": ["compare", *map(str, HURT), "--group", "64", "--no-figure"],
    "designs": ["compare", "tiny.toml", "--vary", "wiring=rail,host", "--no-figure"],
    "busbw": ["tiny.toml", "--sizes", "1MiB,2MiB"],
    "step": ["llama-3.1-8b", "hgx-b200-64"],
    "scale": ["llama-3.1-8b", "--fabric", "tiny.toml", "--gpus", "4", "--no-levers"],
    "place": ["llama-3.1-8b", "tiny.toml"],
    "replay": ["tiny.toml", "--trace", str(RESNET)],
    "rates": ["tiny.toml", "--demand", "flows.csv"],
    "trace": [str(RESNET)],
    "check": ["fabric", "check", *map(str, HURT), "--fail-on", "never"],
}
TINY = """
[fabric]
name = "tiny"
hosts = 2
gpus_per_host = 2
gpu_gbps = 400.0
[leaf]
radix = 4
port_gbps = 400.0
[spine]
radix = 4
port_gbps = 400.0
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_makes_a_page(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "flows.csv").write_text("src,dst,bytes\n0,3,1000000\n1,2,2000000\n")
    words = COMMANDS[name] if COMMANDS[name][0] in ("compare", "fabric") else [name, *COMMANDS[name]]
    words = [*words, "--html", "it is.html"]
    monkeypatch.setattr("sys.argv", ["railscope", *words])
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    text = (tmp_path / "it is.html").read_text()
    page = Page(text)
    check_alone(page)
    assert page.texts("code")[0].startswith("railscope ")
    assert page.texts("code")[0].endswith("--html 'it is.html'")
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 1
    assert "exists already" in str(again.exception)
