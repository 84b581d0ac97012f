"""Layout of tables: what fits where, for any table."""

import pytest
from hypothesis import given, settings, strategies as st

from fabric.reports.tables import Facts, Table, screen_lines, tab_separated

_NUMBER = st.integers(0, 10**9).map(str)
_NAME = st.text("abcdefgh-0123456789", min_size=1, max_size=40)


@st.composite
def tables(draw):
    """Numbers, short names, long names, a remark: in any order after the first column."""
    kinds = ["name", *draw(st.permutations(["number"] * draw(st.integers(0, 8)) + ["long", "remark", "plain"]))]
    columns = tuple(f"{kind} {place}" for place, kind in enumerate(kinds))
    cell = {
        "number": _NUMBER,
        "name": st.text("abc", min_size=1, max_size=9),
        "long": _NAME,
        "remark": st.lists(_NAME, max_size=9).map(" ".join),
        "plain": st.text("xyz", min_size=1, max_size=9),
    }
    rows = draw(st.lists(st.tuples(*(cell[kind] for kind in kinds)), min_size=1, max_size=4))
    of_kind = {kind: [c for c, k in zip(columns, kinds, strict=True) if k == kind] for kind in cell}
    drop = draw(st.permutations(of_kind["number"])) if draw(st.booleans()) else ()
    return Table(
        "Some table",
        columns,
        tuple(rows),
        frozenset(of_kind["number"]),
        below=tuple(of_kind["remark"]),
        shorten=frozenset(of_kind["long"]),
        drop=tuple(drop),
    )


def render(table, width):
    return [line.text for line in screen_lines(table, width)]


def split_up(table, width):
    """Rows on the screen as cells, the lines below them, and the columns hidden."""
    lines = render(table, width)
    start = next(n for n, line in enumerate(lines) if set(line) == {"-"})
    body = lines[start + 1 :]
    end = next((n for n, line in enumerate(body) if line.startswith("hidden at this width: ")), len(body))
    hidden = " ".join(line.strip() for line in body[end:]).removeprefix("hidden at this width: ").partition(";")[0]
    rows = [[cell for cell in line.split("  ") if cell] for line in body[:end] if not line.startswith("  ")]
    return rows, hidden.split(", ") if hidden else []


@settings(deadline=None)
@given(tables(), st.integers(60, 220))
def test_lines_fit_and_rows_are_lines(table, width):
    assert all(len(line) <= width for line in render(table, width))
    rows, hidden = split_up(table, width)
    assert len(rows) == len(table.rows)
    shown = {name for name in table.columns if name not in hidden}
    for row, whole in zip(rows, table.rows, strict=True):
        for name, cell in zip(table.columns, whole, strict=True):
            if name in shown & table.right:
                assert cell in [part.strip() for part in row]


@settings(deadline=None)
@given(tables(), st.integers(60, 200), st.integers(0, 60))
def test_a_wider_screen_shows_no_less(table, width, more):
    assert set(split_up(table, width + more)[1]) <= set(split_up(table, width)[1])


@settings(deadline=None)
@given(tables())
def test_nothing_is_hidden_shortened_or_moved_where_there_is_room(table):
    lines = render(table, 2000)
    assert len(lines) == 3 + len(table.rows)
    for line, row in zip(lines[3:], table.rows, strict=True):
        assert line.split() == " ".join(row).split()


def _three(**options):
    columns = ("switch", "used", "peak", "remark")
    rows = (("leaf-of-rack-07", "12", "3.5 ms", "one cable is missing beside the hot one"),)
    return Table("Switches", columns, rows, frozenset({"used", "peak"}), **options)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (80, ["leaf-of-rack-07    12  3.5 ms  one cable is missing beside the hot one"]),
        (60, ["leaf-of-rack-07    12  3.5 ms", "  remark: one cable is missing beside the hot one"]),
        (28, ["leaf-of-rack-07  3.5 ms", "  remark: one cable is", "    missing beside the hot", "    one",
              "hidden at this width: used;", "  a pipe or --json shows all"]),
    ],
)  # fmt: skip
def test_columns_leave_in_the_order_that_the_table_says(width, expected):
    assert render(_three(below=("remark",), drop=("used",)), width)[3:] == expected


def test_headings_wrap_at_words_only():
    table = Table("t", ("step", "faster than before"), (("a", "1.00x"),), frozenset({"faster than before"}))
    assert render(table, 12)[1:4] == ["      faster", "        than", "step  before"]
    assert render(table, 30)[1] == "step  faster than before"


def test_a_row_of_only_a_remark_carries_on_the_one_before():
    table = Table("t", ("what", "example"), (("slow", "cable one " * 3), ("", "cable two")), below=("example",))
    assert render(table, 30)[3:] == ["slow", "  example: cable one cable one", "    cable one", "  example: cable two"]


def test_a_column_without_contents_takes_no_room():
    assert render(Table("t", ("a", "missing", "b"), (("1", "", "2"),)), 80)[1] == "a  b"


def test_a_name_wider_than_the_screen_loses_its_middle():
    (row,) = render(Table("t", ("name", "n"), (("leaf" * 20 + "-07", "1"),), frozenset({"n"})), 40)[3:-2]
    assert (len(row), row[-3:]) == (40, "-07")


def test_facts_wrap_beside_their_names():
    facts = Facts("Result", (("time", "18.79 ms"), ("hottest link", "l0 port 9 -> s0 port 3 (up, 2x the mean)")))
    assert render(facts, 40) == [
        "Result",
        "time          18.79 ms",
        "hottest link  l0 port 9 -> s0 port 3",
        "              (up, 2x the mean)",
    ]


def test_a_pipe_gets_all_columns_and_no_tabs_inside_cells():
    table = Table("t", ("a", "b"), (("x\ty", "1"),), drop=("b",))
    assert tab_separated(table) == ["# t", "a\tb", "x y\t1"]
    assert tab_separated(Table("none", ("a",), ())) == ["# none"]
    assert tab_separated(Facts("f", (("k", "v"),))) == ["# f", "what\tvalue", "k\tv"]


@pytest.mark.parametrize(
    ("cell", "piped"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@SUM(1,2)", "'@SUM(1,2)"),
        ("-1+2+cmd|x", "'-1+2+cmd|x"),
        ("+SUM(A1)", "'+SUM(A1)"),
        ("+wiring", "+wiring"),
        ("-", "-"),
        ("-12.5 %", "-12.5 %"),
        ("+3.1 GB/s", "+3.1 GB/s"),
        ("-1e-05", "-1e-05"),
    ],
)
def test_names_in_a_pipe_are_no_formulas_of_a_spreadsheet(cell, piped):
    assert tab_separated(Table("names", ("name",), ((cell,),)))[-1] == piped
