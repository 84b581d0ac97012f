"""Options with a choice: upper or lower case, completed by the shell, a wrong one answered with the nearest."""

from collections.abc import Callable, Sequence
from typing import Any

import typer

from collectives.suggestion import hint

# Known without loading anything heavy, so that `--help` is instant; a test holds them against the registries.
POLICIES = ("adaptive", "ecmp", "dmodk", "lft")
DEVICES = ("cpu", "cuda")
WIRINGS = ("rail", "host")
TRANSPORTS = ("direct", "pxn")
NICS = ("own", "pooled")
NAIVE_PLACEMENTS = ("unaligned", "fragmented", "scattered")
DRAWN_PLACEMENTS = ("fragmented", "scattered")
LIBRARIES = ("nccl", "rccl", "any")
HASH_SEEDS = ("per-switch", "shared")
ENGINES = ("ftree", "updn", "minhop", "dfsssp")
SEVERITIES = ("error", "warning", "never")
# Without that of files that two formats share, which asks for one of the two.
TRACE_FORMATS = (
    "kineto",
    "pytorch-et",
    "flight-recorder",
    "nccl-log",
    "nccl-inspector",
    "chakra",
    "chakra-json",
    "simai",
    "aicb",
    "astra-sim",
    "goal",
)
DOCUMENTS = (
    "loads",
    "compare",
    "compare-routing",
    "designs",
    "busbw",
    "busbw-trace",
    "rates",
    "explain",
    "faults",
    "counters",
    "advise",
    "sweep",
    "step",
    "scale",
    "jobs",
    "place",
    "replay",
    "trace",
    "host",
    "fabric",
    "check",
    "presets",
)

More = Callable[[], Sequence[str]]


def choice(
    about: str,
    known: Sequence[str],
    *names: str,
    more: More | None = None,
    metavar: str = "NAME",
    callback: Callable[..., Any] | None = None,
) -> Any:
    """An option that takes one of `known`, or of what `more` finds when none of them is meant."""
    return typer.Option(
        *names,
        parser=_reader(known, more),
        autocompletion=_completion(known),
        metavar=metavar,
        callback=callback,
        help=_listed(about, known),
    )


def choice_argument(about: str, known: Sequence[str], more: More | None = None, metavar: str = "NAME") -> Any:
    """The same as an argument."""
    return typer.Argument(
        parser=_reader(known, more), autocompletion=_completion(known), metavar=metavar, help=_listed(about, known)
    )


def _reader(known: Sequence[str], more: More | None) -> Callable[[str], str]:
    def parse(text: str) -> str:
        wanted = text.strip().lower()
        if wanted in known:
            return wanted
        every = tuple(known) if more is None else tuple(more())
        if wanted in every:
            return wanted
        # Of two, the nearer one is no better a guess: gpu is near to cpu.
        expected = hint(wanted, every) if len(every) > 2 else f"expected {' or '.join(every)}"
        raise typer.BadParameter(f"{text!r} is unknown; {expected}")

    return parse


def _completion(known: Sequence[str]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [name for name in known if name.startswith(incomplete.lower())]

    return complete


def _listed(about: str, known: Sequence[str]) -> str:
    return f"{about} ({', '.join(known)})." if known else about


def registered_policies() -> Sequence[str]:
    """Names of all routing policies, those from outside too."""
    from fabric.routing.registry import ready_policy_names

    return (*ready_policy_names(), "lft")


def put_on_device(context: typer.Context, device: str | None) -> str | None:
    """Let the whole command compute its loads there, or refuse what is not there in one line."""
    if device is not None:
        from collectives.errors import InputError
        from fabric.routing.device import on_device

        try:
            context.with_resource(on_device(device))
        except InputError as error:
            raise InputError(f"--{error}") from None
    return device


def registered_documents() -> Sequence[str]:
    """Names of all JSON documents, those from outside too."""
    from fabric.reports.documents.registry import schema_names

    return schema_names()


def registered_trace_formats() -> Sequence[str]:
    """Names of all formats of traces, those from outside too."""
    from traces.registry import trace_formats

    return [one.name for one in trace_formats()]
