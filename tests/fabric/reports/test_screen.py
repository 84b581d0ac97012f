import contextlib
import io
import re

import pytest

from fabric.reports import screen
from fabric.reports.screen import assumed, print_report, render_report
from fabric.reports.tables import Facts, Table

_TABLES = (
    Facts("Result", (("time", "18.79 ms"),)),
    Table("Links", ("tier", "max"), (("up", "2"),), frozenset({"max"})),
)
_REPORT = (
    ["The leaves limit: 43 % over the bound."],
    _TABLES,
    ["bound: cuts"],
    ["cables (a guess)", "speeds (nominal)"],
)


def test_a_report_begins_with_its_verdict():
    assert render_report(*_REPORT, width=60).splitlines() == [
        "The leaves limit: 43 % over the bound.",
        "",
        "Result",
        "time  18.79 ms",
        "",
        "Links",
        "tier  max",
        "---------",
        "up      2",
        "",
        "bound: cuts",
        "assumes 2 things, first: cables; --verbose lists all",
    ]


def test_a_pipe_gets_tables_and_comments():
    assert render_report(*_REPORT, width=None).splitlines() == [
        "# The leaves limit: 43 % over the bound.",
        "# Result",
        "what\tvalue",
        "time\t18.79 ms",
        "",
        "# Links",
        "tier\tmax",
        "up\t2",
        "",
        "# bound: cuts",
        "# assumes 2 things, first: cables; --verbose lists all",
    ]


@pytest.mark.parametrize(
    ("assumptions", "verbose", "expected"),
    [
        ([], False, []),
        (["cables (a guess)"], False, ["assumes: cables; --verbose says why"]),
        (["cables"], False, ["assumes: cables"]),
        (
            ["in (round) brackets", "x", "y"],
            False,
            ["assumes 3 things, first: in (round) brackets; --verbose lists all"],
        ),
        (["cables (a guess)", "speeds (nominal)"], True, ["assumed: cables (a guess)", "assumed: speeds (nominal)"]),
    ],
)
def test_assumptions_are_one_line_unless_all_are_wanted(assumptions, verbose, expected):
    assert assumed(assumptions, verbose) == expected


class Terminal(io.StringIO):
    """Standard output that is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def printed(monkeypatch):
    """What `print_report` writes on a terminal of 70 columns."""
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def on_terminal() -> str:
        with contextlib.redirect_stdout(Terminal()) as out:
            print_report(*_REPORT)
        return out.getvalue()

    return on_terminal


def test_headings_are_bold_on_a_terminal(printed):
    text = printed()
    assert "\x1b[1mLinks" in text
    assert re.sub(r"\x1b\[\d*m", "", text) == render_report(*_REPORT, width=70)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_style_where_none_is_wanted(printed, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert printed() == render_report(*_REPORT, width=70)


def test_a_pipe_has_no_width(capsys):
    assert screen.screen_width() is None
