"""A training step as traffic: the same bytes as its operations one by one, in every command that takes traffic."""

import json
from importlib.resources import files

import numpy as np
import pytest

import railscope as rs
from collectives.errors import InputError
from fabric.jobs.step_traffic import operation_traffic
from fabric.routing.link_loads import schedule_loads
from tests.fabric.commands.test_cli import railscope

HGX = "hgx-b200-64"


@pytest.mark.parametrize("workload", ["llama-3.1-8b", "gpt-oss-20b"])
@pytest.mark.parametrize("routing", [rs.Adaptive(), rs.Ecmp(queue_pairs=2, seed=3)])
def test_a_step_is_the_sum_of_its_operations(workload, routing):
    asked = rs.TrainingStep(workload)
    scenario = rs.Scenario.of(HGX, asked, transport="pxn", routing=routing)
    expected = np.zeros(scenario.topology.n_links)
    operations = asked.operations(64)
    for one, name in zip(operations, scenario.algorithms_of(operations), strict=True):
        alone = scenario.carrying(operation_traffic(one, 64, name), routing)
        loads = schedule_loads(scenario.topology, alone.schedule, scenario.placement, routing)
        expected += one.times(_microbatches(workload)) * loads.total.bytes
    assert expected.sum() > 0
    np.testing.assert_allclose(rs.analyse(scenario).loads.total.bytes, expected, rtol=1e-12)


def _microbatches(workload):
    from traces.workload.description import Workload, read_workload

    return Workload.of(read_workload(workload), 64).microbatches


def test_every_command_sends_the_same():
    step = (HGX, "--workload", "gpt-oss-20b", "--json")
    loads, explained, faults = (
        json.loads(railscope(*words).stdout)
        for words in (("loads", *step), ("explain", *step, "--top", "1"), ("faults", *step, "--kind", "spine"))
    )
    assert loads["traffic"]["label"].startswith("what a step of gpt-oss-20b on 64 GPUs sends")
    assert any("without compute" in one for one in loads["assumptions"])
    assert faults["time_s"] == pytest.approx(loads["verdict"]["time_s"], rel=1e-12)
    link = explained["links"][0]
    assert sum(one["bytes"] for one in link["by_axis"]) == pytest.approx(link["bytes"])
    busiest = max(one["max_s"] for one in loads["tiers"] if one["kind"] != "nvlink")
    assert link["seconds"] == pytest.approx(busiest, rel=1e-9)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--workload", "gpt-oss-20b", "--collective", "all-to-all"), 2, "--collective: --workload says what is sent"),
        (("--workload", "gpt-oss-20b", "--size", "1GiB"), 2, "--size: --workload says what is sent"),
        (("--workload", "gpt-oss-21b"), 1, "gpt-oss-21b: neither a workload nor a file; did you mean gpt-oss-20b?"),
        (("--workload", "deepseek-v3", "--gpus", "24"), 1, "ep 64 x pp 4 = 256 does not divide 24 ranks"),
    ],
)
def test_what_is_no_step_here(words, status, said):
    done = railscope("loads", HGX, *words)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_step_in_which_nothing_is_sent_is_refused():
    with pytest.raises(InputError, match="nothing goes between GPUs"):
        rs.Scenario.of(HGX, rs.TrainingStep("llama-3.1-8b"), rule=rs.PlacementRule(gpus=1))


def test_a_step_changes_rails_over_nvlink_where_there_is_any():
    """As `step` and `advise` have it; the command line only hands over what was asked for."""
    assert rs.Scenario.of(HGX, rs.TrainingStep("gpt-oss-20b")).job.transport == "pxn"
    assert rs.Scenario.of(HGX, rs.Collective("all-to-all")).job.transport == "direct"
    assert rs.Scenario.of(HGX, rs.TrainingStep("gpt-oss-20b"), transport="direct").job.transport == "direct"


def test_a_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "w.toml"
    path.write_text((files("traces") / "workload" / "presets" / "gpt-oss-20b.toml").read_text())
    rs.Scenario.of(HGX, rs.TrainingStep(path))
    path.write_text("broken = [")
    with pytest.raises(InputError, match="not TOML"):
        rs.Scenario.of(HGX, rs.TrainingStep(path))
