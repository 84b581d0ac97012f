"""Every report at four widths and into a pipe: rows are lines, numbers and names whole, what is hidden is named."""

import re
import shutil
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from fabric.commands.app import run
from fabric.reports import screen
from tests.shared_data import TWINS

WIDTHS = (60, 80, 120, 200)
_DATA = Path(__file__).parents[2] / "data"
_IB = _DATA / "infiniband"
_HURT = (str(_IB / "hurt512-updn.ibnetdiscover.gz"), "--lfts", str(_IB / "hurt512-updn.lfts.gz"))
_ALL_TO_ALL = ("--collective", "all-to-all")
COMMANDS: dict[str, tuple[str, ...]] = {
    "loads": ("loads", "hgx-b200-64", *_ALL_TO_ALL, "--group", "16", "--routing", "ecmp", "--seeds", "5"),
    "loads, long names": ("loads", "gb300-2048", *_ALL_TO_ALL, "--group", "64", "--routing", "ecmp", "--placement",
                          "scattered"),
    "loads, tables": ("loads", *_HURT, *_ALL_TO_ALL, "--hosts", "h00[00-15]", "--top", "3"),
    "loads, nothing carried": ("loads", "hgx-b200-64", *_ALL_TO_ALL, "--group", "1"),
    "channels": ("loads", "hgx-b200-64", "--collective", "all-reduce", "--algorithm", "trees", "--channels", "4"),
    "ladder": ("compare", "hgx-b200-64", "--no-figure"),
    "routings": ("compare", *_HURT, "--hosts", "h00[00-15]", "--group", "128", "--no-figure"),
    "busbw": ("busbw", "hgx-b200-64", "--collective", "all-reduce", "--sizes", "8:16GiB", "--algorithm",
              "ring,hierarchical"),
    "busbw, measured": ("busbw", "hgx-b200-64", "--collective", "all-reduce", "--gpus", "8", "--sizes", "1MiB:16MiB",
                        "--measured", "measured.txt"),
    "check": ("fabric", "check", *_HURT),
    "show": ("fabric", "show", "gb300-8192"),
    "show, small": ("fabric", "show", "hgx-b200-64"),
    "list": ("fabric", "list"),
    "rates": ("rates", "hgx-b200-64", "--demand", "flows.csv", "--quantum", "0.001"),
    "trace": ("trace", str(TWINS / "resnet_2rank_rank0.json.gz")),
    "trace, many ranks": ("trace", *map(str, sorted((TWINS / "dlrm").iterdir()))),
}  # fmt: skip


@dataclass
class Block:
    """A table of the pipe: its title, its columns, its rows."""

    title: str
    columns: list[str]
    rows: list[list[str]]


@pytest.fixture
def output(monkeypatch, capsys, tmp_path):
    """What a command prints on a terminal so wide, or into a pipe."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    shutil.copy(TWINS / "all_reduce_8gpu.txt", "measured.txt")
    Path("flows.csv").write_text("src,dst,bytes\n0,9,1MB\n1,9,3MB\n")

    def printed(command: str, width: int | None) -> str:
        monkeypatch.setattr(sys, "argv", ["railscope", *COMMANDS[command]])
        monkeypatch.setattr(screen, "screen_width", lambda: width)
        with pytest.raises(SystemExit) as end:
            run()
        printed = capsys.readouterr()
        # A trace without sizes is no success, and a report all the same.
        assert not end.value.code or command == "trace, many ranks", printed.err
        return printed.out

    return printed


def piped_tables(text: str) -> tuple[list[Block], list[str]]:
    """The tables of a piped report, and its other lines."""
    blocks, others = [], []
    for part in text.split("\n\n"):
        lines = part.strip("\n").split("\n")
        comments = [line for line in lines if line.startswith("# ")]
        rows = [line.split("\t") for line in lines if line and not line.startswith("# ")]
        if rows:
            others += comments[:-1]
            blocks.append(Block(comments[-1][2:], rows[0], rows[1:]))
            assert all(len(row) == len(rows[0]) for row in rows)
        else:
            others += comments
    return blocks, [line[2:] for line in others]


def on_screen(block: Block, lines: list[str], place: int) -> tuple[set[str], int]:
    """Find a table of the pipe among the lines of a screen; which columns it shows, and where it ends."""
    place = same_words(block.title, lines, place)
    if block.columns == ["what", "value"]:
        for name, value in block.rows:
            assert lines[place].startswith(name)
            place = same_words(f"{name} {value}", lines, place)
        return {"value"}, place
    while not re.fullmatch("-+", lines[place]):
        place += 1
    end = next((n for n in range(place, len(lines)) if not lines[n]), len(lines))
    rest = " ".join(line.strip() for line in lines[place:end])
    hidden = re.search(r"hidden at this width: (.*); a pipe or --json shows all$", rest)
    missing = set(hidden[1].split(", ")) if hidden else set()
    empty = {name for number, name in enumerate(block.columns) if not any(row[number] for row in block.rows)}
    below = {name for name in block.columns if any(line.startswith(f"  {name}: ") for line in lines[place:end])}
    inside = [name for name in block.columns if name not in missing | below | empty]
    place += 1
    for row in block.rows:
        cells = dict(zip(block.columns, row, strict=True))
        own = [cells[name] for name in inside if cells[name]]
        if own:
            shown = re.split(" {2,}", lines[place].strip())
            assert len(shown) == len(own), (shown, own)
            for one, whole in zip(shown, own, strict=True):
                head, dots, tail = one.partition("...")
                assert one == whole or (dots and tail and whole.startswith(head) and whole.endswith(tail))
                assert one == whole or not re.fullmatch(r"[-\d.,]+( ?[a-zA-Z%/]+)?", whole), "a number is cut"
            place += 1
        for name in block.columns:
            if name in below and cells[name]:
                place = same_words(f"{name}: {cells[name]}", lines, place)
    return {*inside, *below}, place


def same_words(text: str, lines: list[str], place: int) -> int:
    """Read words from the lines on until they are `text`; the line after them."""
    read: list[str] = []
    words = text.split()
    while len(read) < len(words):
        assert place < len(lines), (words, read)
        read += lines[place].split()
        assert read == words[: len(read)] or "..." in " ".join(read), (words, read)
        place += 1
    assert len(read) == len(words)
    return place


@pytest.mark.parametrize("command", COMMANDS)
def test_a_row_is_a_line_and_nothing_is_cut(output, command):
    blocks, others = piped_tables(output(command, None))
    assert blocks
    shown_at: dict[int, list[set[str]]] = {}
    for width in WIDTHS:
        lines = output(command, width).splitlines()
        assert max(map(len, lines)) <= width
        place, shown_at[width] = 0, []
        for block in blocks:
            place = next(n for n in range(place, len(lines)) if block.title.startswith(lines[n]) and lines[n])
            columns, place = on_screen(block, lines, place)
            shown_at[width].append(columns)
        words = " ".join(" ".join(lines).split())
        assert all(" ".join(line.split()) in words for line in others if "/" not in line)
    for narrow, wide in pairwise(WIDTHS):
        assert all(few <= many for few, many in zip(shown_at[narrow], shown_at[wide], strict=True))
    for block, columns in zip(blocks, shown_at[200], strict=True):
        empty = {name for number, name in enumerate(block.columns) if not any(row[number] for row in block.rows)}
        assert columns == set(block.columns) - empty or columns == {"value"}


@pytest.mark.parametrize(
    ("command", "width", "kept"),
    [
        ("ladder", 80, {"step", "time", "busbw GB/s", "faster than before", "this step alone", "slower if left out",
                    "times the bound", "hottest"}),
        ("routings", 80, {"routing", "time", "busbw GB/s", "faster than the first", "times the bound", "hottest"}),
        ("busbw", 60, {"size (B)", "time (us)", "algbw (GB/s)", "busbw (GB/s)", "algorithm"}),
        ("busbw", 80, {"size (B)", "count", "time (us)", "algbw (GB/s)", "busbw (GB/s)", "algorithm"}),
        ("busbw, measured", 80, {"size (B)", "count", "type", "redop", "time (us)", "algbw (GB/s)", "busbw (GB/s)"}),
    ],
)  # fmt: skip
def test_what_people_came_for_fits(output, command, width, kept):
    blocks, _ = piped_tables(output(command, None))
    lines = output(command, width).splitlines()
    place = next(n for n, line in enumerate(lines) if line and blocks[0].title.startswith(line))
    columns, _ = on_screen(blocks[0], lines, place)
    assert kept <= columns


def test_busbw_keeps_the_columns_of_nccl_tests_in_a_pipe(output):
    (block,), _ = piped_tables(output("busbw", None))
    assert [name.split(" ")[0] for name in block.columns[:8]] == [
        "size", "count", "type", "redop", "root", "time", "algbw", "busbw",
    ]  # fmt: skip


def test_compare_counts_what_fabric_show_counts(output):
    """Switches are those of the scale-out network; NVLink domains stand by themselves."""
    shown, _ = piped_tables(output("show, small", None))
    switches = sum(int(row[1]) for row in shown[1].rows)
    cables = {row[0]: int(row[1]) for row in shown[2].rows}
    domains = dict(shown[0].rows)["NVLink domains"]
    own = cables.pop("NVLink")
    expected = (
        f"every step: 64 endpoints, {switches} switches, {sum(cables.values())} cables; "
        f"{domains} NVLink domains with {own} cables of their own"
    )
    assert expected in output("ladder", None)
