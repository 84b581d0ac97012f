"""Workloads of AICB as CSV: what one rank of each pipeline stage issues, a row per operation.

Source: aliyun/aicb, log_analyzer/log.py (columns), workload_applyer.py (what a size is: an all-gather's output, a
reduce-scatter's input, an all-to-all's send buffer, in bytes; groups are Megatron's, order tp-cp-ep-dp-pp).  Stages
follow one another, each below a line with its ranks: ``[rank0 ~ rank127]`` or ``[ pp_stage1: [rank16, rank17] ]``.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collectives.errors import InputError
from collectives.gate import quoted, whole
from collectives.layout import DEFAULT_ORDER, ParallelLayout
from collectives.sizes import counted
from traces.files import read_text
from traces.message_order import MEMBER, RECEIVE, SEND
from traces.operation import Operation, Trace
from traces.rank_groups import MOST_RANKS, members_of
from traces.rank_records import Record, Recording, joined
from traces.whole_job import only_file

_BEGINNING = re.compile(r"\s*(?:\[[^\n]*rank[^\n]*\]\s*\n\s*)?comm_type,comm_group,")
_RANK = re.compile(r"rank([0-9]{1,7})\b")
_NEEDED = ("comm_type", "comm_group", "msg_size")
_KINDS = {
    "all_reduce": "all-reduce",
    "all_gather": "all-gather",
    "all_gather_into_tensor": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "reduce_scatter_tensor": "reduce-scatter",
    "all_to_all": "all-to-all",
    "broadcast": "broadcast",
    "reduce": "reduce",
    "isend": "send-recv",
    "irecv": "send-recv",
}
_NO_TRAFFIC = {"barrier": "barriers", "epoch_end": "ends of epochs", "computation": "computations"}
_AXES = {"tp_group": "tp", "dp_group": "dp", "pp_group": "pp", "ep_group": "ep", "ep_dp_group": "edp"}
_AXES |= {"ep_tp_group": "etp-ep"}
# Which neighbour in the pipeline a message is to or from.
_NEIGHBOURS = {"next": 1, "prev": -1}


@dataclass(frozen=True, eq=False)
class _Row:
    source: str
    kind: str
    group: str
    group_size: int | None
    size: int
    additional: str
    times: int


@dataclass(eq=False)
class _Stage:
    first: int | None
    rows: list[_Row] = field(default_factory=list)


def is_aicb_csv(text: str) -> bool:
    """Whether a text begins as AICB's CSV does."""
    return _BEGINNING.match(text) is not None


def read_aicb(paths: Sequence[str | Path] | str | Path) -> Trace:
    """Read a workload of AICB's CSV: sizes are totals.

    Parameters
    ----------
    paths : path or sequence of paths
        One file, plain, gzip or xz.

    Returns
    -------
    Trace
        What the first rank of each stage does; the others do the same in groups of their own (see `traces.filling`).

    Raises
    ------
    InputError
        If it is no such file, or as for `aicb_trace`.
    """
    path = only_file(paths)
    text = read_text(path)
    if not is_aicb_csv(text):
        raise InputError(
            f"{path}: no CSV of AICB; expected the columns {', '.join(_NEEDED)}",
            "--format simai reads the text that AICB writes for SimAI",
        )
    return aicb_trace(path, text)


def aicb_trace(path: str, text: str) -> Trace:
    """The operations of the first rank of each stage.

    Parameters
    ----------
    path : str
        Begins the messages.
    text : str

    Raises
    ------
    InputError
        If a row is cut off or no number, or the groups do not fit the ranks.
    """
    ignored: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    stages, ranks = _stages(path, text, ignored, unknown)
    sizes: dict[str, int] = {}
    for row in (row for stage in stages for row in stage.rows if row.kind not in ("isend", "irecv")):
        if row.group_size is not None:
            sizes[row.group] = max(row.group_size, sizes.get(row.group, 1))
    notes = ["dialect of AICB: an all-gather's size is the whole output"]
    layout = _layout(path, sizes, ranks, len(stages), notes)
    recordings = []
    for stage in stages:
        rank = stage.first if stage.first is not None else 0
        records = tuple(_records(stage.rows, rank, layout, ignored))
        recordings.append(Recording(path, rank, records))
    first = sorted({recording.rank for recording in recordings if recording.rank is not None})
    shown = f"{', '.join(map(str, first[:8]))}{', ...' if len(first) > 8 else ''}"
    notes.append(
        f"only the groups of {'rank' if len(first) == 1 else 'ranks'} {shown} are listed; the others do the same in "
        "groups of their own"
    )
    if len({recording.rank for recording in recordings}) < len(recordings):
        raise InputError(f"{path}: two stages begin with the same rank; expected each rank in one")
    result = joined(recordings)
    if not result.operations and not ignored and not unknown:
        raise InputError(f"{path}: no row; expected {', '.join(_NEEDED)}")
    notes += [f"{counted(number, 'row')} of unknown kind {quoted(kind)} left out" for kind, number in unknown.items()]
    lacking = Counter(reason for operation in result.operations for reason in operation.missing)
    total = len(result.operations)
    notes += [f"{number:,} of {total:,} operations: {reason} missing" for reason, number in lacking.items()]
    return Trace(
        files=(path,),
        operations=result.operations,
        n_ranks=layout.n_ranks,
        ignored=tuple(ignored.items()),
        warnings=(*notes, *result.warnings),
        traced=tuple(sorted({recording.rank for recording in recordings if recording.rank is not None})),
        orders=result.orders,
    )


def _stages(path: str, text: str, ignored: Counter[str], unknown: Counter[str]) -> tuple[list[_Stage], int | None]:
    """Rows by stage, and how many ranks the lines between them name."""
    stages: list[_Stage] = []
    columns: list[str] = []
    above: str | None = None
    most = -1
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        source = f"{path}:{number}"
        if line.startswith("["):
            named = [int(one) for one in _RANK.findall(line)]
            if not named or max(named) >= MOST_RANKS:
                raise InputError(f"{source}: expected ranks below {MOST_RANKS:,}, such as [rank0 ~ rank127]")
            above, most = line, max(most, *named)
            stages.append(_Stage(min(named)))
        elif line.startswith("comm_type,"):
            columns = line.split(",")
            if any(name not in columns for name in _NEEDED):
                raise InputError(f"{source}: expected the columns {', '.join(_NEEDED)}")
            if above is None and stages:
                raise InputError(f"{source}: a second header; expected the ranks of a stage above it")
            if above is None:
                stages.append(_Stage(None))
            above = None
        elif line:
            if not columns:
                raise InputError(f"{source}: expected a header that begins with comm_type")
            row = _row(source, line, columns, ignored, unknown)
            if row is not None:
                stages[-1].rows.append(row)
    return stages, (most + 1 if most >= 0 else None)


def _row(source: str, line: str, columns: list[str], ignored: Counter[str], unknown: Counter[str]) -> _Row | None:
    cells = line.split(",")
    kind = cells[0].removeprefix("CommType.")
    if kind in _NO_TRAFFIC:
        # Their sizes move nothing: a barrier's is whatever was left in the writer's variable.
        ignored[_NO_TRAFFIC[kind]] += 1
        return None
    if kind not in _KINDS:
        unknown[kind] += 1
        return None
    if len(cells) != len(columns):
        raise InputError(f"{source}: {counted(len(cells), 'cell')}; expected {len(columns)}, as the header has")
    row = dict(zip(columns, cells, strict=True))
    size = row.get("comm_group_size", "None")
    return _Row(
        source=source,
        kind=kind,
        group=row["comm_group"].removeprefix("CommGroup."),
        group_size=None if size in ("None", "") else whole(size, f"{source}: comm_group_size", 1, MOST_RANKS),
        size=whole(row["msg_size"], f"{source}: msg_size"),
        additional=row.get("additional", ""),
        times=whole(row.get("count", "1"), f"{source}: count", 1, 100_000),
    )


def _layout(path: str, sizes: dict[str, int], ranks: int | None, stages: int, notes: list[str]) -> ParallelLayout:
    """The layout that the groups' sizes tell."""
    tp, ep = sizes.get("tp_group", 1), sizes.get("ep_group", 1)
    pp = max(sizes.get("pp_group", 1), stages)
    if ranks is None:
        ranks = tp * pp * sizes.get("dp_group", 1)
        notes.append(f"the job's size is not said: {ranks:,} ranks, as its groups make (assumed)")
        if ranks > MOST_RANKS:
            raise InputError(f"{path}: groups of {ranks:,} ranks; expected at most {MOST_RANKS:,}")
    notes.append(
        f"groups are of Megatron's order {DEFAULT_ORDER}: tensor parallel "
        f"{tp}, expert parallel {ep}, {counted(pp, 'stage')} (assumed)"
    )
    if pp > stages:
        notes.append(f"{stages} of {pp} pipeline stages are there")
    try:
        return ParallelLayout(ranks, tp=tp, ep=ep, pp=pp)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _records(rows: list[_Row], rank: int, layout: ParallelLayout, ignored: Counter[str]) -> Iterator[Record]:
    groups = {"all": tuple(range(layout.n_ranks))}
    groups |= {name: members_of(layout, axes, rank) for name, axes in _AXES.items()}
    for row in rows:
        message = row.kind in ("isend", "irecv")
        members = groups.get(row.group, ())
        if not message and row.group_size is not None and row.group_size != len(members):
            # Sizes are of the file, members of the layout: one of them is wrong, and the members are left out.
            members = ()
        n = len(members) or row.group_size or 0
        if row.size == 0 or (n == 1 and not message):
            ignored["collectives of 0 bytes" if row.size == 0 else "collectives of a group of one"] += row.times
            continue
        ends = _ends(row, rank, groups["pp_group"]) if message else members
        if message and ends is None:
            ignored["messages beyond the ends of the pipeline"] += row.times
            continue
        whole_output = row.kind in ("all_gather", "all_gather_into_tensor")
        size = (row.size / n if n else None) if whole_output else float(row.size)
        operation = Operation(
            kind=_KINDS[row.kind],
            ranks=ends or (),
            group_size=2 if message else n,
            group="" if message else row.group,
            bytes=size,
            source=row.source,
            missing=(*(() if ends else ("ranks",)), *(() if size is not None else ("size",))),
            root=0 if row.kind == "broadcast" and members else None,
        )
        role = {"isend": SEND, "irecv": RECEIVE}.get(row.kind, MEMBER)
        yield from [Record(operation, role)] * row.times


def _ends(row: _Row, rank: int, pipeline: tuple[int, ...]) -> tuple[int, ...] | None:
    """Sender and receiver of a message; empty where it does not say to whom, None where there is nobody."""
    step = _NEIGHBOURS.get(row.additional.rpartition("_")[2])
    if step is None:
        return ()
    place = pipeline.index(rank) + step
    if not 0 <= place < len(pipeline):
        return None
    other = pipeline[place]
    return (rank, other) if row.kind == "isend" else (other, rank)
