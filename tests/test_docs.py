"""The pages that are made from the code: nothing public is left out, and links that lead nowhere are found."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main

import railscope
from docs.pages.api import api_pages
from docs.pages.commands import command_pages, help_text
from docs.pages.documents import document_pages, meaning_of, unit_of
from docs.pages.examples import example_pages
from docs.pages.fabric_toml import fabric_toml_pages
from docs.pages.links import bad_links
from docs.pages.workload_toml import workload_toml_pages
from fabric.builders.description import FabricDescription
from fabric.commands.app import app
from traces.schema import annotations_of, bare, model_of
from traces.workload.description import WorkloadDescription

ROOT = Path(__file__).parents[1]


def test_every_public_name_is_in_the_reference():
    lines = [line for page in api_pages() for line in page.text.splitlines() if line.startswith("::: ")]
    assert sorted(line.rsplit(".", 1)[1] for line in lines) == railscope.__all__


def test_every_command_has_a_page_with_its_help():
    pages = {page.path: page.text for page in command_pages()}
    program: Any = typer.main.get_command(app)
    paths = [
        path
        for name, command in program.commands.items()
        for path in ([(name, below) for below in command.commands] if hasattr(command, "commands") else [(name,)])
    ]
    assert len(paths) + 1 == len(pages)
    for path in paths:
        text = pages[f"commands/{'-'.join(path)}.md"]
        assert f"railscope {' '.join(path)} [OPTIONS]" in text
        assert f"[{' '.join(path)}]" in pages["commands/index.md"]


def test_help_of_no_command_is_an_error():
    with pytest.raises(RuntimeError, match="railscope nonsense --help: exit status 2"):
        help_text(("nonsense",))


def test_every_key_of_a_fabric_file_is_explained():
    (page,) = fabric_toml_pages()
    for name, table in FabricDescription.model_fields.items():
        section = page.text.split(f"\n## `[{name}]`")[1].split("\n## ")[0]
        model = next(
            kind
            for kind in (table.annotation, *getattr(table.annotation, "__args__", ()))
            if hasattr(kind, "model_fields")
        )
        for key in model.model_fields:
            assert f"| `{key}` |" in section


def test_every_key_of_a_workload_file_is_explained():
    (page,) = workload_toml_pages()
    for name, annotation in annotations_of(WorkloadDescription).items():
        kind = model_of(annotation) or model_of(get_args(bare(annotation)[0])[0])
        assert kind is not None
        heading = f"## `[{name}]`" if model_of(annotation) else f"## `[[{name}]]`"
        section = page.text.split(heading)[1].split("\n## ")[0]
        for key, field in kind.model_fields.items():
            assert f"| `{key}` |" in section
            assert field.description, (name, key)


def test_every_key_of_a_json_document_is_explained():
    pages = {page.path: page.text for page in document_pages()}
    assert set(pages) == {f"documents/{name}.md" for name in ("index", *railscope.schema_names())}
    for name in railscope.schema_names():
        schema = railscope.json_schema(name)
        page = pages[f"documents/{name}.md"].split("\n## The schema")[0]
        assert f"[{name}]({name}.md)" in pages["documents/index.md"]
        for part, shape in (("", schema), *schema["$defs"].items()):
            section = page.split(f"\n## {part}\n")[1] if "properties" in shape and part else page
            for key, value in shape.get("properties", {}).items():
                assert f"| `{key}` |" in section.split("\n## ")[0], (name, part, key)
                assert key == "schema" or meaning_of(value, schema["$defs"]), (name, part, key)
        assert "any value" not in page


@pytest.mark.parametrize(
    ("key", "unit"),
    {
        "time_s": "seconds",
        "busbw_GBps": "1e9 bytes a second",
        "capacity_gbps": "Gbit/s",
        "total_tbps": "Tbit/s",
        "size_bytes": "bytes",
        "bytes_per_rank": "bytes",
        "size": "bytes",
        "group_size": "",
        "imbalance": "",
        "links": "",
    }.items(),
)
def test_the_end_of_a_key_is_its_unit(key, unit):
    assert unit_of(key) == unit


def test_every_example_has_a_page():
    pages = {page.path for page in example_pages()}
    assert pages == {"examples/index.md"} | {f"examples/{path.stem}.md" for path in (ROOT / "examples").glob("*.py")}


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name)
def test_links_lead_somewhere_in_the_repository_too(page):
    prose = re.sub(r"(?ms)^```.*?^```$|^    [^\n]*$", "", page.read_text(encoding="utf-8"))  # code shows what it likes
    for link in re.findall(r"\]\(([^)#\s]+)", prose):
        assert link.startswith("https://") or (page.parent / link).exists(), link


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("other.html", None),
        ("other.html#here", None),
        ("#top", None),
        ("folder/", None),
        ("https://example.org/x", None),
        ("mailto:someone@example.org", None),
        ("gone.html", "no such file"),
        ("other.html#gone", "no such place on that page"),
        ("#gone", "no such place on that page"),
        ("https://", "no host in the address"),
        ("https://[", "Invalid IPv6 URL"),
        ("file:///etc/hosts", "expected a page or https, got file"),
    ],
)
def test_links_that_lead_nowhere_are_found(tmp_path, link, problem):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").write_text("<p>")
    (tmp_path / "other.html").write_text('<h1 id="here">')
    (tmp_path / "page.html").write_text(f'<h1 id="top"><a href="{link}">x</a>')
    assert list(bad_links(tmp_path)) == ([f"page.html: {link}: {problem}"] if problem else [])


@pytest.mark.parametrize("page", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md"))])
def test_no_page_has_what_only_a_terminal_understands(page):
    text = (ROOT / page).read_text()
    odd = [line for line in text.splitlines() if re.search("[\x1b\u2800-\u28ff]", line)]
    assert not odd


def test_the_readme_quotes_the_whole_validation():
    """The table of predictions beside measurements is the same where it is quoted."""
    command = "    $ python -m benchmarks.validation\n"
    readme, time = ((ROOT / name).read_text().split(command)[1] for name in ("README.md", "docs/time.md"))
    quoted, whole = readme.split("\n## Speed")[0].strip(), time.split("![Predicted")[0].strip()
    assert quoted == whole
    assert "not predicted" in whole
