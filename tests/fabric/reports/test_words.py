import re

import pytest
from hypothesis import given, strategies as st

from collectives.sizes import counted
from fabric.reports.words import ratio_text, shortened, wrapped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (counted(1, "group"), "1 group"),
        (counted(0, "group"), "0 groups"),
        (counted(2048, "group"), "2,048 groups"),
        (counted(1, "switch", "switches"), "1 switch"),
        (counted(2, "kind of error", "kinds of errors"), "2 kinds of errors"),
        (ratio_text(None), "-"),
        (ratio_text(1.3), "1.30x"),
    ],
)
def test_texts(text, expected):
    assert text == expected


@given(st.lists(st.text("ab-/", min_size=1, max_size=30)), st.integers(40, 120))
def test_wrapping_loses_no_word(words, width):
    lines = wrapped(" ".join(words), width)
    assert all(len(line) <= width for line in lines)
    assert " ".join(lines).split() == words


@pytest.mark.parametrize("text", ["18.79 ms", "1 GiB", "50.2 GB/s", "400 Gb/s", "14 %", "leaf port 12", "-> s07",
                                  "--latency-factor 1.25"])  # fmt: skip
@given(before=st.integers(0, 60))
def test_a_number_stays_with_its_unit(text, before):
    lines = wrapped(f"{'x' * before} {text} and more words behind it", 62)
    assert any(text in line for line in lines)


@given(st.text("abc/", min_size=1, max_size=90), st.integers(10, 60))
def test_a_name_keeps_its_end(name, width):
    short = shortened(name, width)
    assert len(short) <= width
    head, dots, tail = short.partition("...")
    assert short == name or (dots and name.startswith(head) and name.endswith(tail) and len(tail) >= len(head))


def test_a_word_longer_than_the_line_loses_its_middle():
    (line,) = wrapped("/a/very/long/path/" + "x" * 80 + "/trace.json.gz", 40)
    assert re.fullmatch(r"/a/very/.*\.\.\..*/trace\.json\.gz", line)
    assert len(line) <= 40
