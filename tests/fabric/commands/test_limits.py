"""Limits for scripts and CI: what crosses them is said on one line, by how much, with exit status 3."""

import json
from pathlib import Path

import pytest

from tests.fabric.commands.test_cli import TIGHT, railscope

LOADS = ("loads", TIGHT, "--collective", "all-to-all", "--group", "16", "--routing", "ecmp")
BUSBW = ("busbw", "hgx-b200-64", "--sizes", "1M,64M")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "limit", "said"),
    [
        ((*LOADS, "--placement", "scattered"), ("--max-imbalance", "1.01"), "max/mean"),
        (LOADS, ("--max-time", "1ms"), "time "),
        ((*LOADS, "--placement", "scattered"), ("--max-over-bound", "1.001"), "over the bound"),
        (BUSBW, ("--min-busbw", "900"), "busbw"),
    ],
)
def test_a_crossed_limit_is_exit_3_and_a_line(here, command, limit, said):
    done = railscope(*command, *limit)
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("railscope: limit crossed: ")
    assert said in line
    assert "%" in line
    assert done.stdout


@pytest.mark.parametrize(
    ("command", "limit"),
    [
        (LOADS, ("--max-imbalance", "50", "--max-time", "1s", "--max-over-bound", "100", "--min-busbw", "1")),
        (BUSBW, ("--min-busbw", "100", "--max-time", "1 s")),
    ],
)
def test_a_limit_that_holds_is_silent(here, command, limit):
    done = railscope(*command, *limit)
    assert (done.returncode, done.stderr) == (0, "")


def test_how_much_is_over(here):
    """Twice the allowed time is 100 % above it."""
    document = json.loads(railscope(*LOADS, "--json").stdout)
    half_ms = document["summary"]["bottleneck_time_s"] * 500
    done = railscope(*LOADS, "--max-time", f"{half_ms}ms")
    assert "is 100.0% above the limit" in done.stderr


def test_a_baseline_is_held_against_the_same_command(here):
    first = railscope(*LOADS, "--json")
    Path("old.json").write_text(first.stdout)
    assert railscope(*LOADS, "--baseline", "old.json").returncode == 0
    document = json.loads(first.stdout)
    for row in document["headline"]:
        row["time_s"] /= 1.1
    Path("faster.json").write_text(json.dumps(document))
    done = railscope(*LOADS, "--baseline", "faster.json", "--max-regression", "5%")
    assert done.returncode == 3
    assert "10.0% worse" in done.stderr
    assert railscope(*LOADS, "--baseline", "faster.json", "--max-regression", "0.11").returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "expected railscope.loads/2"),
        ('{"schema": "railscope.busbw/1"}', "railscope.busbw/1; expected railscope.loads/2"),
        ('{"schema": "railscope.loads/1"}', "no `headline`"),
        ('{"schema": "railscope.loads/2", "headline": [{"name": "other"}]}', "nothing of the same name"),
    ],
)
def test_what_is_no_baseline_is_refused(here, text, said):
    Path("old.json").write_text(text)
    done = railscope(*LOADS, "--baseline", "old.json")
    assert done.returncode == 1
    assert done.stderr.startswith("railscope: error: old.json:")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "options",
    [
        ("--max-time", "5"),
        ("--max-time", "5 furlongs"),
        ("--max-regression", "5%"),
        ("--baseline", "x.json", "--max-regression", "much"),
        ("--queue-pairs", "2", "--routing", "adaptive"),
        ("--skip-unrouted",),
        ("--order", "tp-cp-ep-dp-pp"),
        ("--seed", "3", "--routing", "dmodk"),
    ],
)
def test_options_that_would_do_nothing_are_refused(here, options):
    done = railscope("loads", "hgx-b200-64", "--collective", "all-to-all", *options)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_pxn_without_nvlink_is_refused(here):
    description = """
[fabric]
name = "flat"
hosts = 4
gpus_per_host = 2
gpu_gbps = 400.0
[leaf]
radix = 16
port_gbps = 400.0
[spine]
radix = 16
port_gbps = 400.0
"""
    Path("flat.toml").write_text(description)
    done = railscope("loads", "flat.toml", "--collective", "all-to-all", "--transport", "PXN")
    assert done.returncode == 1
    assert "no NVLink" in done.stderr


def test_check_fails_on_what_is_asked(here):
    hurt = Path(__file__).parents[2] / "data" / "infiniband" / "hurt512-updn.ibnetdiscover.gz"
    assert railscope("fabric", "check", hurt).returncode == 0
    done = railscope("fabric", "check", hurt, "--fail-on", "warning")
    assert done.returncode == 1
    assert "1 kind of finding" in done.stderr
    assert railscope("fabric", "check", hurt, "--fail-on", "NEVER").returncode == 0


def test_the_version_alone(here):
    done = railscope("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("railscope 0.")


def test_an_option_limits_what_is_read(here):
    hurt = Path(__file__).parents[2] / "data" / "infiniband" / "hurt512-updn.ibnetdiscover.gz"
    refused = railscope("--max-input", "1KiB", "fabric", "check", hurt)
    assert refused.returncode == 1
    assert "more than 1 KiB; expected a smaller file" in refused.stderr
    assert "--max-input 8GB" in refused.stderr
    assert railscope("--max-input", "1GB", "fabric", "check", hurt).returncode == 0
    wrong = railscope("--max-input", "many", "fabric", "check", hurt)
    assert wrong.returncode == 2
    assert "--max-input: size 'many': expected a number" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("loads hgx-b200-64 --routing ad", ["adaptive"]),
        ("loads hgx-b200-64 --collective all-", ["all-reduce", "all-gather", "all-to-all"]),
        ("fabric che", ["check"]),
        ("trace x --format chak", ["chakra", "chakra-json"]),
        ("loads hgx-b200-64 --format s", ["simai"]),
    ],
)
def test_the_shell_completes_commands_and_choices(here, monkeypatch, words, found):
    """What bash asks of a program that completes itself: its words so far, and which of them is meant."""
    monkeypatch.setenv("_RAILSCOPE.PY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"railscope {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    assert railscope(alone=True).stdout.split() == found
