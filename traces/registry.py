"""The formats of traces: reading, and what an error says is expected, derive from one table."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from traces.naming import listed, resolved

if TYPE_CHECKING:
    from traces.operation import Trace


@dataclass(frozen=True)
class TraceFormat:
    """A format of traces.

    Attributes
    ----------
    name : str
        Unique, such as ``kineto``.
    title : str
        What people call it.
    shape : str
        Regular expression that matches (`re.search`, multi-line) the beginning of every such file, and of no other.
    reader : callable or str
        A list of paths (the files of one job) to a `Trace`; or ``"module:function"``, imported when it is needed.

    Raises
    ------
    InputError
        If a part is empty, or the shape is no regular expression.
    """

    name: str
    title: str
    shape: str
    reader: "Callable[[Sequence[str]], Trace] | str"

    def __post_init__(self) -> None:
        reason = self._wrong()
        if reason:
            from collectives.errors import InputError

            raise InputError(f"trace format {self.name!r}: {reason}")

    def _wrong(self) -> str:
        """Why this is no format; empty if it is one."""
        try:
            re.compile(self.shape)
        except re.error as error:
            return f"shape: not a regular expression ({error})"
        return "" if self.name and self.title and self.shape else "expected a name, a title and a shape"


_formats: dict[str, TraceFormat] = {}


def register_trace_format(trace_format: TraceFormat) -> None:
    """Add a format; it is tried before those that are there.

    Raises
    ------
    InputError
        If there is one of that name.
    """
    if trace_format.name in _formats:
        from collectives.errors import InputError

        raise InputError(f"trace format {trace_format.name!r}: registered already; expected another name")
    _formats[trace_format.name] = trace_format


def trace_formats() -> tuple[TraceFormat, ...]:
    """Every format, in the order in which they are tried."""
    return tuple(reversed(_formats.values()))


def trace_titles() -> str:
    """What people call the formats, for help and error texts."""
    return listed(one.title for one in trace_formats())


def trace_format_of(path: str | Path) -> TraceFormat:
    """The format of a file, plain, gzip or xz.

    Raises
    ------
    InputError
        If it cannot be read, or is of none that is registered.
    """
    from collectives.errors import InputError
    from traces.files import read_head

    head = read_head(path)
    for one in trace_formats():
        if re.search(one.shape, head, re.MULTILINE):
            return one
    raise InputError(f"{path}: unknown kind of file; expected a trace: {trace_titles()}")


def read_trace(paths: Sequence[str | Path] | str | Path) -> "Trace":
    """Read the trace of one job; its format is told by what is in the files.

    Parameters
    ----------
    paths : path or sequence of paths
        Of the ranks that were recorded; plain, gzip or xz.

    Raises
    ------
    InputError
        If a file is of no format that is registered, the files are of several, or one is refused by its reader.
    """
    from collectives.errors import InputError

    given = [str(paths)] if isinstance(paths, (str, Path)) else list(map(str, paths))
    if not given:
        raise InputError("trace: expected at least one file")
    found = {path: trace_format_of(path) for path in given}
    first = found[given[0]]
    for path, other in found.items():
        if other is not first:
            raise InputError(f"{path}: {other.title}, but {given[0]} is {first.title}; expected files of one job")
    trace: Trace = resolved(first.reader)(given)
    return trace


register_trace_format(
    TraceFormat(
        name="kineto",
        title="PyTorch profiler (Kineto) JSON",
        # Keys that torch/csrc/profiler writes before the first event.
        shape=r"\A\s*\{(?s:.*)\"(?:traceEvents|schemaVersion|deviceProperties|distributedInfo)\"\s*:",
        reader="traces.kineto:read_kineto",
    )
)
register_trace_format(
    TraceFormat(
        name="nccl-log",
        title="NCCL debug log",
        # host:pid:tid [device] NCCL INFO, behind whatever a launcher writes.
        shape=r"\A(?!\s*[{\[]\s*[\"{])(?s:.*?):\d{1,10}:\d{1,10} \[-?\d{1,4}\] (?:\S{1,200} )?NCCL (?:INFO|WARN)\b",
        reader="traces.nccl_log:read_nccl_log",
    )
)
register_trace_format(
    TraceFormat(
        name="goal",
        title="GOAL schedule",
        # Comments may come before the first statement.
        shape=r"\A(?>\s|//[^\n]*|#[^\n]*|/\*(?s:.*?)\*/)*+num_ranks\s+\d",
        reader="traces.goal:read_goal",
    )
)
