"""The keys of workload files as a page, made from the models that check them."""

from collections.abc import Iterator
from importlib.resources import files
from typing import get_args

from docs.pages.page import Page
from fabric.builders.reference import key_rows
from traces.schema import annotations_of, bare, model_of
from traces.workload.description import WorkloadDescription

_EXAMPLE = "llama-3.1-8b"


def workload_toml_pages() -> Iterator[Page]:
    """One page."""
    lines = []
    for name, annotation in annotations_of(WorkloadDescription).items():
        several = model_of(annotation) is None
        model = model_of(get_args(bare(annotation)[0])[0]) if several else model_of(annotation)
        assert model is not None
        heading = f"[[{name}]]" if several else f"[{name}]"
        lines += [f"## `{heading}`", "", (model.__doc__ or "").strip().splitlines()[0], ""]
        lines += ["| key | value | unit | default | example | meaning |", "| --- | --- | --- | --- | --- | --- |"]
        lines += [f"| {' | '.join(row)} |" for row in key_rows(model)]
        lines.append("")
    example = files("traces").joinpath("workload", "presets", f"{_EXAMPLE}.toml").read_text("utf-8")
    shown = "\n".join(["## Example", "", f"`{_EXAMPLE}`:", "", "```toml", example.rstrip(), "```", ""])
    yield Page(
        "workload-toml.md",
        "# Workload files\n\n`railscope step FILE FABRIC` takes one in the place of a workload's name. Keys that are "
        "not listed here are refused.\n\n" + "\n".join(lines) + "\n" + shown,
    )
