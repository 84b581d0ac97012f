"""`railscope report`: a page of several commands, by a file that names their options."""

import shlex
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from collectives import InputError
from fabric.commands.app import app
from fabric.commands.option_tables import options_of
from fabric.commands.report_file import read_report_file, section_words
from tests.fabric.commands.test_cli import ROOT
from tests.fabric.reports.test_html import TINY, Page, check_alone

WHOLE = """
[report]
title = "Two hosts <b>"

[fabric]
name = "tiny.toml"

[traffic]
collective = "all-to-all"
size = "1MiB"
group = 4

[routing]
routing = "ecmp"
queue-pairs = 2

[workload]
name = "llama-3.1-8b"
no-levers = true
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)

    def run_it(text, *more):
        (tmp_path / "s.toml").write_text(text)
        words = ["report", "s.toml", "-o", "r.html", *more]
        monkeypatch.setattr("sys.argv", ["railscope", *words])
        return CliRunner().invoke(app, words)

    return run_it


def test_a_page_has_a_section_for_each_command(run, tmp_path):
    done = run(WHOLE)
    assert done.exit_code == 0, done.output
    page = Page((tmp_path / "r.html").read_text())
    check_alone(page)
    assert page.texts("h1") == ["Two hosts <b>"]
    assert [own["id"] for tag, own in page.elements if own.get("class") == "part"] == ["s1", "s2", "s3", "s4", "s5"]
    whole, *alone = page.texts("code")
    assert whole == "railscope report s.toml -o r.html"
    assert alone == [
        "railscope compare tiny.toml --collective all-to-all --size 1MiB --group 4 --queue-pairs 2 --no-figure",
        "railscope loads tiny.toml --collective all-to-all --size 1MiB --group 4 --routing ecmp --queue-pairs 2",
        "railscope explain tiny.toml --collective all-to-all --size 1MiB --group 4 --routing ecmp --queue-pairs 2",
        "railscope faults tiny.toml --collective all-to-all --size 1MiB --group 4 --routing ecmp --queue-pairs 2",
        "railscope step llama-3.1-8b tiny.toml --routing ecmp --queue-pairs 2 --no-levers",
    ]
    said = "".join(text for _, text in page.text)
    for name, command in zip(("compare", "loads", "explain", "faults", "step"), alone, strict=True):
        own = CliRunner().invoke(app, shlex.split(command)[1:])
        verdict = own.output.splitlines()[0].removeprefix("# ")
        assert verdict in said
        assert f"{name}\t{verdict}" in done.output
    # No picture is left behind, and nothing is overwritten unasked.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "s.toml", "tiny.toml"]
    assert "exists already" in str(run(WHOLE).exception)
    assert run(WHOLE, "--force").exit_code == 0


def test_compare_places_the_job_itself_and_says_so(run, tmp_path):
    done = run(WHOLE.split("[workload]")[0] + '[placement]\nplacement = "scattered"\ngpus = 4\n')
    assert done.exit_code == 0, done.output
    assert "note: compare places the job itself" in done.output
    compare, loads, *_ = Page((tmp_path / "r.html").read_text()).texts("code")[1:]
    assert compare.endswith("--gpus 4 --no-figure")
    assert "--placement" not in compare
    assert loads.endswith("--placement scattered --gpus 4")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a table [fabric] with its name"),
        ("[fabric]\nname = 3\n", "fabric.name: expected a text: a preset or a file"),
        ("fabric = 'x'\n", "fabric: expected a table [fabric]"),
        ("[fabrics]\n", "'fabrics': did you mean fabric?"),
        ("[fabric]\nname = 'tiny.toml'\n", "expected a table [traffic], [workload], or both"),
        ("[fabric]\nname = 'tiny.toml'\n[traffic]\ncolective = 'x'\n", "traffic.colective: did you mean collective?"),
        ("[fabric]\nname = 'tiny.toml'\nfabric = 'x'\n[traffic]\n", "fabric.fabric: "),
        ("[fabric]\nname = 'tiny.toml'\n[traffic]\ncollective = 'x'\n", "compare: '--collective': 'x' is unknown"),
        ("[fabric]\nname = 'tiny.toml'\n[traffic]\ncollective = ''\n", "compare: --collective: is empty"),
        (
            "[fabric]\nname = 'tiny.toml'\n[traffic]\ncollective = {a = 1}\n",
            "traffic.collective: expected a text, a number",
        ),
        ("[fabric]\nname = 'tiny.toml'\n[traffic]\ngroup = [[1]]\n", "traffic.group: expected a text, a number"),
        ("[fabric]\nname = 'tiny.toml'\n[traffic]\ngroup = nan\n", "compare: "),
        (
            "[report]\nsections = ['step']\n[fabric]\nname = 'tiny.toml'\n[traffic]\n",
            "step: expected a table [workload]",
        ),
        ("[report]\nsections = ['lads']\n[fabric]\nname = 'tiny.toml'\n[traffic]\n", "'lads': did you mean loads?"),
        ("[report]\nsections = 1\n[fabric]\nname = 'tiny.toml'\n[traffic]\n", "report.sections: expected a list"),
        ("[report]\ntitel = 'x'\n", "report.titel: did you mean title?"),
        ("[report]\ntitle = 1\n", "report.title: expected a text"),
        # Without loads and step, nothing would look at these.
        (
            "[report]\nsections = ['compare']\n[fabric]\nname = 'tiny.toml'\n[traffic]\n[routing]\nrouting = 'ecmp'\n",
            "routing.routing: ",
        ),
        (
            "[report]\nsections = ['compare']\n[fabric]\nname = 'tiny.toml'\n[traffic]\n[placement]\nhosts = 'h0'\n",
            "compare: --hosts: naive to rail-aware places",
        ),
        ("[fabric\n", "not TOML"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(run, text, said, tmp_path):
    done = run(text)
    assert isinstance(done.exception, InputError), done.output
    assert str(done.exception).startswith("s.toml: ")
    assert said in str(done.exception)
    assert not (tmp_path / "r.html").exists()


def test_the_file_of_the_guide_names_options(tmp_path):
    text = (ROOT / "docs" / "report.md").read_text().split('```toml title="scenario.toml"\n')[1].split("```")[0]
    (tmp_path / "s.toml").write_text(text)
    given = read_report_file(tmp_path / "s.toml")
    program: Any = typer.main.get_command(app)
    own = {section: options_of(program.commands[section]) for section in given.sections}
    words = [shlex.join(section_words(given, section, own, True)) for section in own]
    assert words == [
        "compare gb300-2048 --collective all-to-all --group 256 --gpus 2048 --no-figure",
        "loads gb300-2048 --collective all-to-all --group 256 --routing ecmp --gpus 2048",
        "explain gb300-2048 --collective all-to-all --group 256 --routing ecmp --gpus 2048",
        "faults gb300-2048 --collective all-to-all --group 256 --routing ecmp --gpus 2048 --kind cable,spine",
        "step deepseek-v3 gb300-2048 --routing ecmp --gpus 2048",
    ]
