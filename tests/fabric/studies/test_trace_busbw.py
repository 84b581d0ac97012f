"""Operations of a trace with predicted times: those of the same collective asked by itself."""

import pytest

from collectives import Groups
from fabric.jobs.placement import packed
from fabric.jobs.requests import Collective, TraceFiles
from fabric.scenario import Scenario
from fabric.studies.busbw import predict_busbw
from fabric.studies.trace_busbw import predict_trace
from tests.fabric.commands.test_cli import RESNET, answer, railscope


def test_operations_take_what_the_collective_by_itself_takes():
    scenario = Scenario.of("hgx-b200-64", TraceFiles([RESNET]))
    predicted = predict_trace(scenario, ("ring",))
    assert scenario.traffic.trace is not None
    operations = scenario.traffic.trace.operations
    assert sum(row.operations.count for row in predicted.rows) == len(operations)
    totals = [row.total_s for row in predicted.rows]
    assert totals == sorted(totals, reverse=True)
    assert predicted.total_s == pytest.approx(sum(totals))
    for row in predicted.rows:
        kind, size = row.operations.kind, row.operations.size
        pair = Scenario.of("hgx-b200-64", Collective(kind), placement=packed(scenario.topology, 2))
        (alone,) = predict_busbw(pair, (size,), ("ring",)).rows
        assert row.row == alone
    assert Groups.of([list(predicted.rows[0].operations.ranks)]).n_members == 2


def test_on_the_command_line(tmp_path):
    document = answer("busbw", "hgx-b200-64", "--trace", RESNET, cwd=tmp_path)
    assert document["schema"] == "railscope.busbw-trace/1"
    assert document["total_s"] == pytest.approx(sum(row["total_s"] for row in document["rows"]))
    assert document["headline"][0]["time_s"] == document["total_s"]
    done = railscope("busbw", "hgx-b200-64", "--trace", RESNET, "--max-time", "1us", cwd=tmp_path)
    assert done.returncode == 3
    for options in (("--sizes", "1M"), ("--group", "2"), ("--figure", "x.png"), ("--algorithm", "nonsense")):
        done = railscope("busbw", "hgx-b200-64", "--trace", RESNET, *options, cwd=tmp_path)
        assert done.returncode in (1, 2)
        assert done.stderr.count("\n") == 1


def test_a_collective_is_no_trace_and_a_trace_is_no_collective():
    from collectives.errors import InputError

    with pytest.raises(InputError, match="expected a trace"):
        predict_trace(Scenario.of("hgx-b200-64", Collective("all-reduce")))
    with pytest.raises(InputError, match="expected a collective"):
        predict_busbw(Scenario.of("hgx-b200-64", TraceFiles([RESNET])), (1.0,))
