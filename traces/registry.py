"""The formats of traces: reading, and what an error says is expected, derive from one table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from traces.format_table import FormatTable, ToldFormat

if TYPE_CHECKING:
    from traces.operation import Trace


@dataclass(frozen=True)
class TraceFormat(ToldFormat):
    """A format of traces; its reader makes a `Trace` of a list of paths, the files of one job."""

    what: ClassVar[str] = "trace format"


_table: FormatTable[TraceFormat] = FormatTable(TraceFormat.what)
register_trace_format = _table.register
trace_formats = _table.formats
trace_titles = _table.titles


def trace_format_of(path: str | Path) -> TraceFormat:
    """The format of a file, plain, gzip or xz.

    Raises
    ------
    InputError
        If it cannot be read, or is of none that is registered.
    """
    from collectives.errors import InputError
    from traces.files import read_head

    found = _table.of_text(read_head(path))
    if found is None:
        raise InputError(f"{path}: unknown kind of file; expected a trace: {trace_titles()}")
    return found


def read_trace(paths: Sequence[str | Path] | str | Path, trace_format: str | None = None) -> "Trace":
    """Read the trace of one job; its format is told by what is in the files.

    Parameters
    ----------
    paths : path or sequence of paths
        Of the ranks that were recorded; plain, gzip or xz.
    trace_format : str, optional
        Name of a format, such as ``simai``, whatever the files look like.

    Raises
    ------
    InputError
        If there is no format of that name, a file is of no format that is registered, the files are of several, or one
        is refused by its reader.
    """
    from collectives.errors import InputError

    given = [str(paths)] if isinstance(paths, (str, Path)) else list(map(str, paths))
    if not given:
        raise InputError("trace: expected at least one file")
    if trace_format is not None:
        return _read_as(_table.named(trace_format), given)
    found = {path: trace_format_of(path) for path in given}
    first = found[given[0]]
    for path, other in found.items():
        if other is not first:
            raise InputError(f"{path}: {other.title}, but {given[0]} is {first.title}; expected files of one job")
    trace: Trace = first.read(given)
    return trace


def _read_as(wanted: TraceFormat, paths: Sequence[str]) -> "Trace":
    """Read files in a format that was named; where it is refused, what they look like is said."""
    from collectives.errors import InputError

    try:
        trace: Trace = wanted.read(paths)
    except InputError as refused:
        path = next((path for path in paths if path in str(refused)), paths[0])
        try:
            like = trace_format_of(path)
        except InputError:
            like = wanted
        if like.title == wanted.title or refused.option:
            raise
        raise InputError(f"{refused}; the file looks like {like.title}, format {like.name}") from None
    return trace


for _format in (
    TraceFormat(
        name="kineto",
        title="PyTorch profiler (Kineto) JSON",
        # Keys that torch/csrc/profiler writes before the first event.
        shape=r"\A\s*\{(?s:.*)\"(?:traceEvents|schemaVersion|deviceProperties|distributedInfo)\"\s*:",
        reader="traces.kineto:read_kineto",
    ),
    TraceFormat(
        name="nccl-log",
        title="NCCL debug log",
        # host:pid:tid [device] NCCL INFO, behind whatever a launcher writes.
        shape=r"\A(?!\s*[{\[]\s*[\"{])(?s:.*?):\d{1,10}:\d{1,10} \[-?\d{1,4}\] (?:\S{1,200} )?NCCL (?:INFO|WARN)\b",
        reader="traces.nccl_log:read_nccl_log",
    ),
    TraceFormat(
        name="goal",
        title="GOAL schedule",
        # Comments may come before the first statement.
        shape=r"\A(?>\s|//[^\n]*|#[^\n]*|/\*(?s:.*?)\*/)*+num_ranks\s+\d",
        reader="traces.goal:read_goal",
    ),
    TraceFormat(
        name="chakra",
        title="Chakra execution trace",
        # A length, then GlobalMetadata: a version (field 1) or an attribute (field 2), short texts behind their
        # lengths; or a node (fields 1 and 2), with which files of before October 2023 begin.
        shape=r"\A(?s:.){1,26}?(?:\n[\x03-\x08\x0b\x0c]\d+\.\d|\x12(?s:.){1,13}?\n[\x01-\x08\x0b\x0c\x0e-\x1f]\w"
        r"|\n(?s:.){1,8}?\n[\x01-\x08\x0b\x0c\x0e-\x1f]\w|\x08(?s:.){1,13}?\x12(?s:.){1,4}?\w)",
        reader="traces.chakra_et:read_chakra_et",
    ),
    TraceFormat(
        name="chakra-json",
        title="Chakra JSON",
        # A list of nodes, or nodes one behind the other; node types are nowhere else called so.
        shape=r"\A\s*(?:\[\s*)?\{(?s:.*?)\"type\"\s*:\s*\"(?:MEM_LOAD|MEM_STORE|METADATA|COMP|COMM_(?:SEND|RECV|COLL))_NODE\"",
        reader="traces.chakra_json:read_chakra_json",
    ),
    # Policies that AICB writes too: whose sizes these are cannot be told.
    TraceFormat(
        name="simai-or-astra-sim",
        title="SimAI workload",
        shape=r"\A\s*(?:MICRO|HYBRID_TRANSFORMER_FWD_IN_BCKWD)\b[^\n]*\n\s*\d",
        reader="traces.simai_workload:read_unnamed",
    ),
    TraceFormat(
        name="astra-sim",
        title="ASTRA-sim text workload",
        # Policies that AICB does not write.
        shape=r"\A\s*(?:DATA|MODEL|HYBRID_TRANSFORMER|HYBRID_DATA_MODEL|HYBRID_MODEL_DATA|HYBRID_DLRM(?:_ENHANCED)?"
        r"|HYBRID_CUSTOMIZED|DISTRIBUTED_INFERENCE)(?:[^\S\n][^\n]*)?\n\s*\d+\s*\n\s*\S+\s+-?\d+\s",
        reader="traces.simai_workload:read_astra_sim",
    ),
    TraceFormat(
        name="simai",
        title="SimAI workload",
        # Keys of a header or groups of collectives that ASTRA-sim does not know.
        shape=r"\A\s*HYBRID_TRANSFORMER(?:_FWD_IN_BCKWD)?\b(?:[^\n]*\s(?:all_gpus|ep|pp|vpp|ga|pp_comm)\b"
        r"|(?s:.)*\b(?:ALLREDUCE|ALLGATHER|REDUCESCATTER|ALLTOALL)_(?:DP_)?EP\b)",
        reader="traces.simai_workload:read_simai",
    ),
    TraceFormat(
        name="aicb",
        title="AICB workload (CSV)",
        shape=r"\A\s*(?:\[[^\n]*rank\d[^\n]*\]\s*\n\s*)?comm_type,comm_group,",
        reader="traces.aicb_csv:read_aicb",
    ),
    TraceFormat(
        name="flight-recorder",
        title="NCCL flight recorder",
        # A pickled dictionary of protocol 2 or later, or JSON that begins with one of the recorder's keys.
        shape=r"\A(?:\\x80[\x02-\x05]|\s*\{\s*\"(?:version\"\s*:\s*\"2\.|(?:pg_config|nccl_version|pg_status|entries)\"\s*:))",
        reader="traces.flight_recorder:read_flight_recorder",
    ),
    TraceFormat(
        name="nccl-inspector",
        title="NCCL Inspector JSON",
        shape=r"\A\s*\{(?s:.{0,4000}?)\"(?:coll_perf|p2p_perf|dump_stats\"\s*:\s*\{\s*\"coll_records)\"\s*:",
        reader="traces.nccl_inspector:read_nccl_inspector",
    ),
    TraceFormat(
        name="pytorch-et",
        title="PyTorch execution trace",
        shape=r"\A\s*\{\s*\"schema\"\s*:\s*\"\d+\.\d+\.\d+",
        reader="traces.pytorch_et:read_pytorch_et",
    ),
):
    register_trace_format(_format)
