"""What one page is of: a TOML file whose keys are the options of the commands that its sections run.

    [report]
    title = "Experts on the new pod"      # of the page
    sections = ["compare", "loads"]       # usual: these, explain and faults; step if there is a workload

    [fabric]
    name = "gb300-2048"                   # a preset or a file

    [traffic]
    collective = "all-to-all"
    group = 256

    [routing]
    routing = "ecmp"

    [placement]
    gpus = 2048

    [faults]
    kind = "cable,spine"                  # of the section `faults`

    [workload]
    name = "deepseek-v3"                  # a section `step`
    job = ["b=llama-3.1-8b:64@packed"]    # beside it

A key is an option's long name: `--queue-pairs 4` of a command is `queue-pairs = 4`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from collectives.gate import shown
from collectives.suggestion import hint
from fabric.commands.option_tables import (
    fabric_names,
    option_words,
    placement_names,
    routing_names,
    traffic_names,
)
from fabric.commands.step import WorkloadOptions
from traces.files import read_text
from traces.toml_text import parse_toml

SECTIONS = ("compare", "loads", "explain", "faults", "advise", "step")
_OF_TRAFFIC = ("compare", "loads", "explain", "faults")
# Tables, and the parameters of commands that may stand in each.
_TABLES: dict[str, tuple[str, ...]] = {
    "fabric": fabric_names(),
    "traffic": traffic_names(),
    "routing": routing_names(),
    "placement": placement_names(),
    "faults": ("kind", "count", "trials", "most"),
    "workload": (*(field.name for field in fields(WorkloadOptions)), "job_too", "jobs", "no_levers"),
}
_OF_REPORT = ("title", "sections")
# What names the fabric and the workload is an argument on the command line.
_NAMED = ("fabric", "workload")
# Of a job that `compare` places itself, step by step, these say what it is; the others say where.
_SIZES = ("gpus", "gpus_per_domain")


@dataclass(frozen=True)
class ReportFile:
    """A checked file.

    Attributes
    ----------
    path : path
    title : str
        Empty where nothing is said.
    sections : tuple of str
        Commands, in the order of the page.
    values : dict of str to dict
        By table, then by key: texts, numbers, truths, and lists of them.
    """

    path: Path
    title: str
    sections: tuple[str, ...]
    values: Mapping[str, Mapping[str, Any]]


def read_report_file(path: Path) -> ReportFile:
    """A file as it is written; keys of options are checked when its sections are run (`section_words`).

    Raises
    ------
    InputError
        Names the file and the table, and says what was expected.
    """
    tables = parse_toml(read_text(path), str(path))
    for name, table in tables.items():
        if name != "report" and name not in _TABLES:
            raise InputError(f"{path}: {shown(name)}: {hint(name, ('report', *_TABLES))}")
        if not isinstance(table, dict):
            raise InputError(f"{path}: {name}: expected a table [{name}]")
    head = tables.pop("report", {})
    unknown = next((key for key in head if key not in _OF_REPORT), None)
    if unknown is not None:
        raise InputError(f"{path}: report.{unknown}: {hint(unknown, _OF_REPORT)}")
    title = head.get("title", "")
    if not isinstance(title, str):
        raise InputError(f"{path}: report.title: expected a text, not {shown(title)}")
    for name in _NAMED:
        if name in tables and not isinstance(tables[name].get("name"), str):
            raise InputError(f"{path}: {name}.name: expected a text: a preset or a file")
    if "fabric" not in tables:
        raise InputError(f"{path}: expected a table [fabric] with its name")
    if not ("traffic" in tables or "workload" in tables):
        raise InputError(f"{path}: expected a table [traffic], [workload], or both")
    return ReportFile(path, title, _sections(path, head, tables), tables)


def _sections(path: Path, head: Mapping[str, Any], tables: Mapping[str, Any]) -> tuple[str, ...]:
    usual = [*(_OF_TRAFFIC if "traffic" in tables else ()), *(("step",) if "workload" in tables else ())]
    asked = head.get("sections", usual)
    if not isinstance(asked, list) or not asked or not all(isinstance(one, str) for one in asked):
        raise InputError(f"{path}: report.sections: expected a list of {', '.join(SECTIONS)}")
    for one in asked:
        if one not in SECTIONS:
            raise InputError(f"{path}: report.sections: {shown(one)}: {hint(one, SECTIONS)}")
        needed = "workload" if one == "step" else "traffic"
        if needed not in tables:
            raise InputError(f"{path}: report.sections: {one}: expected a table [{needed}]")
    return tuple(dict.fromkeys(asked))


def section_words(
    given: ReportFile, section: str, options: Mapping[str, Mapping[str, str]], places_itself: bool
) -> list[str]:
    """The command of a section as words of a command line.

    Parameters
    ----------
    section : str
        One of `given.sections`.
    options : mapping of str to mapping of str to str
        Of each section's command: the parameter by its option's long name, without dashes before it.
    places_itself : bool
        Whether `compare` places the job: where that is not all of the page, [placement] is of the other sections.

    Raises
    ------
    InputError
        Names the file and the key that is no option of any section, or whose value is none of an option.
    """
    words = [section]
    if section == "step":
        words.append(given.values["workload"]["name"])
    words.append(given.values["fabric"]["name"])
    sized_only = section == "compare" and places_itself and len(given.sections) > 1
    for table, own in _TABLES.items():
        known = {key for each in options.values() for key, name in each.items() if name in own}
        for key, value in given.values.get(table, {}).items():
            if key == "name" and table in _NAMED:
                continue
            where = f"{given.path}: {table}.{key}"
            if key not in known:
                raise InputError(f"{where}: {hint(key, sorted(known))}")
            name = options[section].get(key)
            if table == "workload" and section != "step":
                continue
            if name in own and not (sized_only and table == "placement" and name not in _SIZES):
                words += option_words(key, value, where)
    return [*words, "--no-figure"] if section == "compare" else words
