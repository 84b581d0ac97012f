"""One registry of traces: a format is added from outside; what is none is refused in one line."""

import json
import lzma
from pathlib import Path

import pytest

import railscope as rs
from collectives import InputError
from tests.traces.test_kineto import RESNET, comms, write
from traces import registry


@pytest.fixture(autouse=True)
def formats(monkeypatch):
    monkeypatch.setattr(registry._table, "_formats", dict(registry._table._formats))


def read_lines(paths):
    """A line per operation: kind, bytes, ranks."""
    rows = [line.split() for path in paths for line in Path(path).read_text().splitlines()[1:]]
    operations = tuple(
        rs.Operation(kind, tuple(map(int, ranks)), len(ranks), bytes=float(size)) for kind, size, *ranks in rows
    )
    return rs.Trace(tuple(paths), operations, None)


def test_a_toy_trace_is_added_from_outside(tmp_path):
    rs.register_trace_format(rs.TraceFormat("lines", "operations, a line each", r"\A# operations$", read_lines))
    path = tmp_path / "x.txt"
    path.write_text("# operations\nall-reduce 4000 0 1 2 3\n")
    trace = rs.read_trace(path)
    assert [(o.kind, o.bytes, o.ranks) for o in trace.operations] == [("all-reduce", 4000.0, (0, 1, 2, 3))]
    kineto = write(tmp_path, 0, [comms()])
    with pytest.raises(InputError, match=r"rank0.json: PyTorch .* but .*x.txt is operations, a line each; expected"):
        rs.read_trace([path, kineto])
    path.write_text("hello")
    with pytest.raises(
        InputError, match=r"x.txt: unknown kind of file; expected a trace: operations, a line each.*PyTorch"
    ) as no:
        rs.read_trace(path)
    assert "\n" not in str(no.value)
    with pytest.raises(InputError, match=r"expected at least one file"):
        rs.read_trace([])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"name": "kineto"}, "'kineto': registered already"),
        ({"name": ""}, "expected a name, a title and a shape"),
        ({"shape": "["}, "shape: not a regular expression"),
    ],
)
def test_what_is_no_format_is_refused(parts, message):
    with pytest.raises(InputError, match=message):
        rs.register_trace_format(
            rs.TraceFormat(**{"name": "x", "title": "x", "shape": "x", "reader": read_lines} | parts)
        )


def test_kineto_is_told_by_what_is_in_it(tmp_path):
    assert len(rs.read_trace(RESNET).operations) == 21
    plain = write(tmp_path, 0, [comms()])
    squeezed = tmp_path / "rank0.xz"
    squeezed.write_bytes(lzma.compress(plain.read_bytes()))
    assert [o.bytes for o in rs.read_trace(squeezed).operations] == [4000.0]
    # A long list of groups may stand before the events.
    groups = [{"pg_name": str(n), "ranks": list(range(64))} for n in range(1000)]
    document = {"schemaVersion": 1, "distributedInfo": {"rank": 0, "pg_config": groups}, "traceEvents": [comms()]}
    plain.write_text(json.dumps(document))
    assert plain.stat().st_size > 2 * 65536
    assert len(rs.read_trace([plain]).operations) == 1
    plain.write_text(json.dumps({"nodes": []}))
    with pytest.raises(InputError, match=r"unknown kind of file; expected a trace: .*PyTorch profiler"):
        rs.read_trace(plain)
