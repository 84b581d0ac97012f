"""Flows from CSV: names or numbers, units, and refusals that name the line."""

import gzip

import numpy as np
import pytest

from collectives import InputError
from traces import read_flows_csv

NAMES = ("h0g0", "h0g1", "7", "h1g1", "h2g0", "h2g1", "h3g0", "h3g1")


def read(tmp_path, text):
    path = tmp_path / "flows.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_flows_csv(path, NAMES)


def test_reads_names_numbers_and_units(tmp_path):
    text = '\ufeff# a comment\nbytes,note,dst,src\n1GiB,x,h1g1,0\n\n# more\n1e3,y,5,h0g1\n7,"a,b",7,3\n'
    flows = read(tmp_path, text)
    np.testing.assert_array_equal(flows.src, [0, 1, 3])
    # An endpoint named "7" wins over the number.
    np.testing.assert_array_equal(flows.dst, [3, 5, 2])
    np.testing.assert_array_equal(flows.bytes, [2**30, 1000, 7])
    np.testing.assert_array_equal(read(tmp_path, gzip.compress(text.encode())).bytes, flows.bytes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; expected a header src,dst,bytes"),
        ("src,dst\n0,1\n", "flows.csv:1: column bytes: expected once"),
        ("src,dst,bytes\n", "no flows below the header"),
        ("src,dst,bytes\n0,1\n", "flows.csv:2: 2 fields; expected 3"),
        (
            "src,dst,bytes\n0,1,5\n\n0,h1g2,5\n",
            "flows.csv:4: dst 'h1g2': expected an endpoint's name or number; did you mean h1g1",
        ),
        ("src,dst,bytes\n0,8,5\n", "flows.csv:2: dst 8: expected a number from 0 to 7"),
        ("src,dst,bytes\n-1,1,5\n", "flows.csv:2: src '-1': expected"),
        ("src,dst,bytes\n0,1,-5\n", "flows.csv:2: bytes -5: expected a finite number >= 0"),
        ("src,dst,bytes\n0,1,nan\n", "flows.csv:2: bytes nan: expected a finite number >= 0"),
        ("src,dst,bytes\n0,1,5 Gb\n", "flows.csv:2: bytes: size '5 Gb': unknown unit"),
        ("src,dst,bytes\n0,1,\n", "flows.csv:2: bytes: size ''"),
        ('src,dst,bytes\n0,1,5\n"0,2,5\n0,3,5\n0,4,5\n', "flows.csv:3: not CSV|flows.csv:3: a quote that does not end"),
        ('# c\nsrc,dst,bytes\n\n0,1,5\n"0\n",2,5\n0,4,5\n', "flows.csv:5: a quote that does not end in this line"),
        ('src,dst,bytes\n0,"1"x,5\n', "flows.csv:2: not CSV"),
        ("src,dst,bytes\n0,1,1_000\n", "flows.csv:2: bytes '1_000': expected a number"),
        ("src,dst,bytes\n0,1,١٢\n", "flows.csv:2: bytes '١٢': expected a number"),
        ("src,dst,bytes\n0,1,1e308\n0,2,1e308\n", r"flows.csv:2: bytes '1e308': expected a number from 0 to 1e\+18"),
        ("src,dst,bytes\n0,1," + "9" * 5000 + "\n", r"flows.csv:2: bytes '9{80}\.\.\.' \(5,000 characters\)"),
        (b"src,dst,bytes\n\xff,1,1\n", "not UTF-8"),
        (gzip.compress(b"src,dst,bytes\n0,1,1\n", mtime=0)[:-3], "not a whole gzip file"),
    ],
)
def test_refuses_in_one_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as refusal:
        read(tmp_path, text)
    assert "\n" not in str(refusal.value)
